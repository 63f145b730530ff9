"""What a user does with the page: composer, menus, dialogs, panels; with an App that only remembers what it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import LAPTOP, PHONE, expect_focus, until, visitors
from tests.support.other_browsers import firefox, wait_for, webkit
from tests.support.static_pages import static_pages
from tests.web.test_accessibility import COLOURS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NARROW = {**PHONE, "viewport": {"width": 320, "height": 640}}
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with static_pages() as served:
        yield served


@pytest.fixture
def opened(browser: Browser, origin: str) -> Iterator[Open]:
    """Opens the test page; at the end none of them may have complained."""
    with visitors(browser, origin) as visit:

        def new(profile: dict[str, Any] = LAPTOP, query: str = "", allowed: tuple[str, ...] = ()) -> Page:
            visitor = visit(**profile)
            visitor.allowed += allowed
            page = visitor.open(f"/pages/compose/index.html?{query}")
            page.wait_for_selector("body[data-ready]")
            return page

        yield new


def field(page: Page) -> Any:
    return page.locator(".composer-field")


def type_in(page: Page, text: str) -> None:
    field(page).focus()
    page.keyboard.type(text)


def acts(page: Page, do: str = "") -> list[Any]:
    return page.evaluate("do_ => fake.acts.filter((each) => !do_ || each.do === do_)", do)


def asks(page: Page, ask: str) -> list[Any]:
    return page.evaluate("ask => fake.asks.filter((each) => each.ask === ask)", ask)


def sent(page: Page) -> list[str]:
    return [each["text"] for each in acts(page, "send")]


def wait_for_act(page: Page, do: str, count: int = 1) -> list[Any]:
    until(page, "([do_, count]) => fake.acts.filter((each) => each.do === do_).length >= count", [do, count])
    return acts(page, do)


def wait_for_ask(page: Page, ask: str, count: int = 1) -> list[Any]:
    until(page, "([ask, count]) => fake.asks.filter((each) => each.ask === ask).length >= count", [ask, count])
    return asks(page, ask)


def act(page: Page, name: str, context: str = "{}") -> None:
    """Run an action of the table, without waiting for the dialogs that it opens."""
    page.evaluate(f"void fake.act('{name}', {context})")


def dialog(page: Page) -> Any:
    page.wait_for_selector("dialog[open]")
    return page.locator("dialog[open]").last


def change(page: Page, script: str) -> None:
    """Change the conversation, and tell that it has changed."""
    page.evaluate(f"(() => {{ const ops = fake.conversations.get('r5'); {script} }})()")
    page.evaluate("fake.changed([{ kind: 'conversation', key: 'r5' }])")


# --- sending ---


def test_enter_sends_and_shift_enter_breaks(opened: Open) -> None:
    page = opened()
    type_in(page, "hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("world ")
    assert page.evaluate("fake.drafts.get('r5').text") == "hello\nworld "
    page.keyboard.press("Enter")
    assert acts(page, "send") == [{"do": "send", "key": "r5", "text": "hello\nworld", "reply": None}]
    assert field(page).input_value() == ""
    assert page.evaluate("fake.drafts.get('r5').text") == ""
    page.keyboard.press("Enter")
    page.keyboard.type("   ")
    page.keyboard.press("Enter")
    assert len(sent(page)) == 1, "nothing to send"


def test_a_composition_is_never_sent_by_the_enter_that_ends_it(opened: Open) -> None:
    page = opened()
    field(page).focus()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    key = {"key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229}
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
    devtools.send("Input.insertText", {"text": "日本"})
    devtools.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
    assert sent(page) == []
    # Safari: the composition has ended when the key goes down
    page.evaluate("""() => {
        const field = document.querySelector('.composer-field');
        field.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, data: '日本' }));
        const key = { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true };
        field.dispatchEvent(new KeyboardEvent('keydown', key));
    }""")
    assert sent(page) == []
    assert field(page).input_value() == "日本"
    page.keyboard.press("Enter")
    assert sent(page) == ["日本"]


def test_a_text_that_the_core_did_not_take_stays(opened: Open) -> None:
    page = opened()
    page.evaluate("void (fake.app.act = ({ do: what }) => { if (what === 'send') throw new Error('full'); })")
    type_in(page, "precious")
    page.keyboard.press("Enter")
    page.wait_for_selector(".composer-note:not(:empty)")
    assert field(page).input_value() == "precious"
    assert page.evaluate("fake.drafts.get('r5').text") == "precious"


def test_drafts_are_kept_for_each_conversation(opened: Open) -> None:
    page = opened()
    type_in(page, "for ops")
    page.evaluate("fake.show('p2')")
    assert field(page).input_value() == ""
    type_in(page, "for budi")
    page.evaluate("fake.show('r5')")
    assert field(page).input_value() == "for ops"
    page.evaluate("fake.show('p2')")
    assert field(page).input_value() == "for budi"


def test_on_touch_enter_breaks_and_the_button_sends(opened: Open) -> None:
    page = opened(PHONE)
    field(page).tap()
    expect_focus(field(page))
    page.keyboard.type("one")
    page.keyboard.press("Enter")
    page.keyboard.type("two")
    assert sent(page) == []
    page.get_by_role("button", name="Send").tap()
    wait_for_act(page, "send")
    assert sent(page) == ["one\ntwo"]
    expect_focus(field(page))  # the keyboard stays open
    page.evaluate("fake.app.set('enter', 'send')")
    page.keyboard.type("three")
    page.keyboard.press("Enter")
    assert sent(page)[-1] == "three"
    assert page.evaluate("document.querySelector('.composer-field').enterKeyHint") == "send"


def test_enter_that_breaks_leaves_control_enter_to_send(opened: Open) -> None:
    page = opened(query="enter=break")
    type_in(page, "one")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    assert sent(page) == ["one"]


def test_offline_one_can_write_and_send(opened: Open) -> None:
    page = opened()
    page.evaluate("fake.app.core.phase = 'offline'")
    type_in(page, "later")
    page.keyboard.press("Enter")
    assert sent(page) == ["later"]
    assert acts(page, "typing") == []


def test_typing_notices_are_throttled(opened: Open) -> None:
    page = opened()
    page.evaluate("{ const now = Date.now(); Date.now = () => now; }")  # a notice may end while a slow machine types
    type_in(page, "a long text with many letters")
    assert len(acts(page, "typing")) == 1
    page.keyboard.press("Enter")
    page.evaluate("fake.app.set('typing', false)")
    page.keyboard.type("again")
    assert len(acts(page, "typing")) == 1
    page.evaluate("fake.app.set('typing', true)")
    field(page).fill("")
    page.keyboard.type("/who")
    assert len(acts(page, "typing")) == 1, "a command is no message"


def test_it_grows_to_a_third_of_the_height(opened: Open) -> None:
    page = opened()
    low = field(page).bounding_box()["height"]
    field(page).fill("one\ntwo\nthree")
    assert field(page).bounding_box()["height"] > low + 30
    field(page).fill("\n" * 60)
    assert field(page).bounding_box()["height"] <= 800 / 3 + 1
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_the_counter_counts_code_points(opened: Open) -> None:
    page = opened()
    field(page).fill("🎉" * 3500)
    assert page.locator(".composer-count").inner_text() == ""
    field(page).fill("🎉" * 3990)
    assert page.locator(".composer-count").inner_text() == "10 left"
    field(page).fill("🎉" * 4001)
    assert page.locator(".composer-count").inner_text() == "1 too many"
    page.keyboard.press("Enter")
    assert sent(page) == []
    assert len(field(page).input_value()) == 4001
    field(page).fill("🎉" * 4000)
    field(page).press("Enter")
    assert sent(page) == ["🎉" * 4000]


def test_what_was_refused_can_be_written_anew(opened: Open) -> None:
    page = opened()
    type_in(page, "new")
    page.evaluate("fake.composer().resume({ text: 'refused', reply: 102 })")
    assert field(page).input_value() == "refused\nnew"
    assert "cici" in page.locator(".composer-bar").inner_text()
    assert page.evaluate("fake.drafts.get('r5')") | {"before": None} == {
        "text": "refused\nnew", "reply": 102, "editing": None, "before": None,
    }  # fmt: skip


def test_a_command_whose_module_cannot_be_loaded_stays(opened: Open) -> None:
    page = opened(allowed=("404",))
    page.route("**/commands.js", lambda route: route.fulfill(status=404, content_type="text/javascript", body=""))
    type_in(page, "/who")
    page.keyboard.press("Enter")
    page.wait_for_selector(".composer-note:has-text('connect')")
    assert field(page).input_value() == "/who"
    page.unroute("**/commands.js")
    page.keyboard.press("Enter")
    until(page, "fake.app.settings.membersOpen")
    assert field(page).input_value() == "", "it is tried again when there is a connection"


# --- pastes ---


def paste(page: Page, text: str) -> None:
    field(page).focus()
    page.evaluate("text => document.execCommand('insertText', false, text)", text)


def test_a_paste_of_many_lines_is_one_message(opened: Open) -> None:
    page = opened()
    paste(page, "one\ntwo\nthree\n")
    page.keyboard.press("Enter")
    assert sent(page) == ["one\ntwo\nthree"]


@pytest.mark.parametrize("text", ["/leave\n/quit", " /leave", "\u2800/quit", "／leave"])
def test_pasted_lines_are_not_obeyed(opened: Open, text: str) -> None:
    page = opened()
    paste(page, text)
    field(page).press("Escape")
    field(page).press("Enter")
    asked = dialog(page)
    asked.get_by_role("button", name="Cancel").click()
    assert acts(page, "leave") == acts(page, "send") == asks(page, "leaveRoom") == []
    assert field(page).input_value() == text
    expect_focus(field(page))
    page.keyboard.press("Enter")
    dialog(page).get_by_role("button", name="Send").click()
    assert wait_for_act(page, "send")[0]["text"] == text


def test_a_picture_is_refused_politely(opened: Open) -> None:
    page = opened()
    field(page).fill("text")
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
        document.querySelector('.composer-field').dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
    }""")
    assert "cannot be sent" in page.locator(".composer-note").inner_text()
    assert field(page).input_value() == "text"


# --- edits and replies ---


def test_up_edits_the_last_message_and_escape_brings_back_what_was_typed(opened: Open) -> None:
    page = opened()
    field(page).focus()
    page.keyboard.press("ArrowUp")
    assert field(page).input_value() == "Every night at two"
    assert "Editing" in page.locator(".composer-bar").inner_text()
    page.keyboard.press("End")
    page.keyboard.type("!")
    page.keyboard.press("Enter")
    assert acts(page, "edit") == [{"do": "edit", "key": "r5", "seq": 104, "text": "Every night at two!"}]
    page.keyboard.type("half a thought")
    page.evaluate("fake.composer().edit(fake.conversations.get('r5').window.messages[1])")
    assert field(page).input_value() == "I can refill it at ten"
    page.evaluate("fake.reload()")  # also over a reload of the page
    assert field(page).input_value() == "I can refill it at ten"
    field(page).press("Escape")
    assert field(page).input_value() == "half a thought"
    assert page.locator(".composer-bar").inner_text() == ""
    assert acts(page, "send") == []


def test_an_edit_that_changes_nothing_is_not_sent(opened: Open) -> None:
    page = opened()
    field(page).press("ArrowUp")
    field(page).press("Enter")
    assert acts(page, "edit") == []
    assert field(page).input_value() == ""


def test_a_reply_shows_what_it_answers(opened: Open) -> None:
    page = opened()
    page.locator("[data-seq='102']").click()
    page.get_by_role("menuitem", name="Reply").click()
    assert "Replying to cici" in page.locator(".composer-bar").inner_text()
    expect_focus(field(page))
    page.keyboard.type("ok")
    page.keyboard.press("Enter")
    assert acts(page, "send") == [{"do": "send", "key": "r5", "text": "ok", "reply": 102}]
    page.evaluate("fake.composer().reply(fake.conversations.get('r5').window.messages[0])")
    page.get_by_role("button", name="Cancel the reply").click()
    page.keyboard.type("alone")
    page.keyboard.press("Enter")
    assert acts(page, "send")[-1]["reply"] is None


# --- where one cannot write ---


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("ops.mutedS = null", "muted"),
        ("ops.mutedS = 600", "10 min"),
        ("ops.room.archived = true", "archived"),
        ("ops.room.readOnly = true; ops.room.role = 'member'", "moderators"),
        ("ops.member = false", "not in this room"),
    ],
)
def test_it_says_why_one_cannot_write_and_keeps_the_text(opened: Open, script: str, words: str) -> None:
    page = opened()
    change(page, script)
    assert words in page.locator(".composer-note").inner_text()
    type_in(page, "text")
    page.keyboard.press("Enter")
    assert sent(page) == []
    assert field(page).input_value() == "text"


def test_who_is_muted_is_told_by_whom_why_and_until_when(opened: Open) -> None:
    page = opened(query="role=member")
    type_in(page, "text")
    change(page, "ops.mutedS = 600")
    assert page.get_by_role("button", name="Send").is_disabled()
    page.evaluate("""fake.changed([{
        kind: 'role', key: 'r5', person: { id: 1, name: 'ana' }, role: 'member', mutedS: 600,
        by: { id: 2, name: 'budi' }, reason: 'too loud',
    }])""")
    note = page.locator(".composer-note").inner_text()
    assert "until" in note
    assert note.endswith("By budi. Reason: too loud")
    change(page, "ops.mutedS = 0")
    assert page.get_by_role("button", name="Send").is_enabled()


def test_a_reply_to_oneself_says_so(opened: Open) -> None:
    page = opened()
    page.evaluate("fake.composer().reply(fake.conversations.get('r5').window.messages[1])")
    assert "Replying to yourself" in page.locator(".composer-bar").inner_text()


def test_slow_mode_counts_down(opened: Open) -> None:
    page = opened(query="role=member")
    page.clock.install()
    change(page, "ops.room.slowS = 10")
    type_in(page, "one")
    page.keyboard.press("Enter")
    assert "10 seconds" in page.locator(".composer-note").inner_text()
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    assert sent(page) == ["one"]
    page.clock.run_for(9_100)
    assert "1 second." in page.locator(".composer-note").inner_text()
    page.clock.run_for(1_000)
    assert page.locator(".composer-note").inner_text() == ""
    page.keyboard.press("Enter")
    assert sent(page) == ["one", "two"]


# --- completion ---


def test_names_are_completed_by_keyboard_and_by_touch(opened: Open) -> None:
    page = opened()
    type_in(page, "hi @dew")
    options = page.get_by_role("option")
    options.first.wait_for()
    assert field(page).get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    page.keyboard.press("Enter")
    assert field(page).input_value() == "hi @Dewi Lestari "
    page.keyboard.type("and @user1 p")
    page.keyboard.press("Tab")
    assert field(page).input_value() == "hi @Dewi Lestari and @user1 pc "
    page.keyboard.type("@us")
    page.keyboard.press("Escape")
    assert options.count() == 0
    page.keyboard.type("e")
    assert options.count() == 0, "it stays closed for this name"
    page.keyboard.press("Enter")
    assert sent(page) == ["hi @Dewi Lestari and @user1 pc @use"]
    page.keyboard.type("@ek")
    options.first.click()
    assert field(page).input_value() == "@eko "


def test_a_name_that_is_whole_does_not_keep_enter(opened: Open) -> None:
    page = opened()
    type_in(page, "thanks @cici")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    assert sent(page) == ["thanks @cici"]


def test_rooms_and_emoji_are_completed(opened: Open) -> None:
    page = opened()
    type_in(page, "see #lob")
    page.get_by_role("option", name="#lobby").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.type(":thumbs")
    page.get_by_role("option", name="thumbs up").wait_for()
    page.keyboard.press("Enter")
    assert field(page).input_value() == "see #lobby 👍 "


def test_commands_that_are_not_listed_are_counted(opened: Open) -> None:
    page = opened()
    type_in(page, "/")
    last = page.get_by_role("option").last
    last.filter(has_text="more: go on typing").wait_for()
    last.click(force=True)
    assert field(page).input_value() == "/"
    assert last.is_visible()
    page.keyboard.press("ArrowUp")
    assert page.get_by_role("option").nth(7).get_attribute("aria-selected") == "true"


# --- commands ---


def command(page: Page, text: str) -> None:
    field(page).fill(text)
    page.locator(".choices").wait_for(state="attached")  # the completion comes behind the first letters
    field(page).press("Escape")
    field(page).press("Enter")


def test_commands_do_what_they_say(opened: Open) -> None:
    page = opened()
    command(page, '/msg "user1 pc" see you')
    assert wait_for_act(page, "send")[0] == {"do": "send", "key": "p2", "text": "see you"}
    assert asks(page, "openDirect")[0]["name"] == "user1 pc"
    assert page.evaluate("fake.app.route.key") == "r5", "as at a terminal"
    command(page, "/kick budi too loud")
    assert wait_for_ask(page, "moderate")[0] == {
        "ask": "moderate", "key": "r5", "person": 2, "act": "kick", "seconds": None, "reason": "too loud",
    }  # fmt: skip
    command(page, "/mute Dewi")
    page.wait_for_selector(".composer-note:has-text('no person')")
    assert field(page).input_value() == "/mute Dewi", "the text stays"
    command(page, '/mute "Dewi Lestari" 10m why')
    assert wait_for_ask(page, "moderate", 2)[1]["seconds"] == 600
    command(page, "/topic Paper")
    assert wait_for_ask(page, "setRoom")[0]["rules"] == {"topic": "Paper"}
    command(page, "/react 🎉")
    assert wait_for_act(page, "react")[0]["seq"] == 104
    command(page, "/history 2026-11-20")
    opened_at = wait_for_act(page, "open")[0]["at"]
    assert opened_at == page.evaluate("new Date(2026, 10, 20).getTime()")
    command(page, "/edit")
    until(page, "document.querySelector('.composer-field').value === 'Every night at two'")
    field(page).press("Escape")
    assert field(page).input_value() == ""
    command(page, "//not a command")
    assert sent(page)[-1] == "/not a command"


def test_an_unknown_command_is_kept_and_explained(opened: Open) -> None:
    page = opened()
    command(page, "/serch paper")
    page.wait_for_selector(".composer-note:has-text('/search')")
    page.evaluate("fake.changed([{ kind: 'conversation', key: 'r5' }])")
    assert "/search" in page.locator(".composer-note").inner_text(), "it stays while others write"
    assert page.get_by_role("option").count() == 0
    assert field(page).input_value() == "/serch paper"
    assert sent(page) == []
    command(page, "/me waves")
    page.wait_for_selector(".composer-note:has-text('/me')")
    command(page, "/msg user1 pc hello")
    page.wait_for_selector(".composer-note:has-text('quotes')")
    assert asks(page, "openDirect") == []


def test_a_password_behind_a_command_is_neither_sent_nor_stored(opened: Open) -> None:
    page = opened()
    for text in ("/register correct horse", "/pasword old new"):
        command(page, text)
        page.wait_for_selector(".composer-note:has-text('password')")
        assert field(page).input_value() == ""
        assert page.evaluate("fake.drafts.get('r5').text") == ""
    assert sent(page) == []
    assert page.evaluate("fake.asks") == []


# --- menus and dialogs ---


def test_a_menu_goes_by_keyboard_and_gives_the_focus_back(opened: Open) -> None:
    page = opened()
    page.locator("[data-seq='104']").focus()
    page.keyboard.press("Enter")
    items = page.get_by_role("menuitem")
    assert items.all_inner_texts()[0].startswith("Reply")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("e")
    expect_focus(page.get_by_role("menuitem", name="Edit"))
    page.keyboard.press("End")
    expect_focus(page.get_by_role("menuitem", name="Delete"))
    page.keyboard.press("Escape")
    assert items.count() == 0
    expect_focus(page.locator("[data-seq='104']"))
    page.keyboard.press("Enter")
    page.mouse.click(700, 400)
    assert items.count() == 0
    page.keyboard.press("Enter")
    page.mouse.click(60, 21)
    assert items.count() == 0, "and the button below was not pressed"


def test_a_menu_outlives_the_keyboard_that_it_closes(opened: Open) -> None:
    page = opened(PHONE)
    page.set_viewport_size({"width": 360, "height": 400})
    field(page).tap()
    expect_focus(field(page))
    page.evaluate("document.querySelector('[data-seq=\"104\"]').click()")
    page.set_viewport_size({"width": 360, "height": 740})
    until(page, "innerHeight === 740 && document.querySelector('.menu')?.getBoundingClientRect().bottom === 740")
    page.keyboard.press("Escape")
    expect_focus(field(page))


def test_the_menu_has_what_one_may_do(opened: Open) -> None:
    def labels(page: Page, seq: int) -> set[str]:
        page.locator(f"[data-seq='{seq}']").click()
        found = {text.split("\n")[0] for text in page.get_by_role("menuitem").all_inner_texts()}
        page.keyboard.press("Escape")
        return found

    common = {"Reply", "React", "Quote", "Copy text", "Copy link", "Show all about it"}
    page = opened(query="role=owner")
    assert labels(page, 100) == labels(page, 104) == common | {"Edit", "Delete"}
    page = opened(query="role=member")
    assert labels(page, 104) == common | {"Edit", "Delete"}
    assert labels(page, 100) == common
    change(page, "ops.room.readOnly = true")
    assert labels(page, 104) == (common - {"Reply", "Quote"}) | {"Delete"}
    change(page, "ops.room.archived = true")
    assert labels(page, 104) == {"Copy text", "Copy link", "Show all about it", "Delete"}
    assert labels(page, 100) == {"Copy text", "Copy link", "Show all about it"}
    change(page, "ops.room.archived = false; ops.mutedS = null")
    assert labels(page, 104) == {"Copy text", "Copy link", "Show all about it"}


def test_a_message_is_deleted_only_after_a_question(opened: Open) -> None:
    page = opened()
    page.locator("[data-seq='104']").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog(page).get_by_role("button", name="Cancel").click()
    assert acts(page, "delete") == []
    expect_focus(page.locator("[data-seq='104']"))
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Delete").click()
    dialog(page).get_by_role("button", name="Delete").click()
    assert wait_for_act(page, "delete") == [{"do": "delete", "key": "r5", "seq": 104}]


def test_a_refusal_stands_in_the_dialog_which_stays_open(opened: Open) -> None:
    page = opened()
    page.evaluate("void (fake.answers.moderate = () => { throw fake.refusal('no_right', 'No one of the same rank'); })")
    act(page, "ban", "{ person: fake.person(2) }")
    asked = dialog(page)
    asked.get_by_label("For how long").select_option("604800")
    asked.get_by_label("Reason").fill("spam")
    page.keyboard.press("Enter")
    asked.get_by_role("alert").filter(has_text="same rank").wait_for()
    assert asks(page, "moderate")[0]["seconds"] == 604800
    page.evaluate("delete fake.answers.moderate")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")


def test_room_settings_send_what_was_changed_and_nothing_else(opened: Open) -> None:
    page = opened()
    act(page, "room")
    asked = dialog(page)
    asked.get_by_label("Slow mode").select_option("30")
    asked.get_by_label("Read-only").check()
    asked.get_by_role("button", name="Save").click()
    assert wait_for_ask(page, "setRoom")[0]["rules"] == {"slow_s": 30, "read_only": True}
    page.wait_for_selector("dialog", state="detached")
    act(page, "room")
    dialog(page).get_by_role("button", name="Save").click()
    page.wait_for_selector("dialog", state="detached")
    assert len(asks(page, "setRoom")) == 1


def test_a_refused_setting_is_named_beside_its_field(opened: Open) -> None:
    page = opened()
    page.evaluate(
        "void (fake.answers.setRoom = () => { throw fake.refusal('room_invalid', 'There is already a room #lobby', "
        "{ reason: 'room_name_taken' }); })"
    )
    act(page, "room")
    asked = dialog(page)
    asked.get_by_label("Name").fill("lobby")
    asked.get_by_label("Topic").fill("New")
    asked.get_by_role("button", name="Save").click()
    asked.locator("[data-refusal=name]").filter(has_text="already a room").wait_for()
    expect_focus(asked.get_by_label("Name"))
    assert asked.get_by_label("Name").get_attribute("aria-invalid") == "true"


def test_messages_are_not_deleted_by_a_slip(opened: Open) -> None:
    page = opened()
    act(page, "room")
    dialog(page).get_by_label("Delete older messages").select_option("7")
    dialog(page).get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="Delete older messages?").wait_for()
    assert asks(page, "setRoom") == []
    dialog(page).get_by_role("button", name="Delete").click()
    assert wait_for_ask(page, "setRoom")[0]["rules"] == {"retention_days": 7}


def test_members_are_told_the_rules_and_cannot_change_them(opened: Open) -> None:
    page = opened(query="role=member")
    page.evaluate("Object.assign(fake.rules, { role: 'member', slow_s: 30, read_only: true })")
    act(page, "room")
    asked = dialog(page)
    asked.get_by_text("Slow mode: 30 s").wait_for()
    asked.get_by_text("Only moderators and owners can write").wait_for()
    assert asked.locator("input, select").count() == 0
    assert asked.get_by_role("button", name="Save").count() == 0
    page = opened(query="role=moderator")
    act(page, "room")
    dialog(page).get_by_label("Topic").fill("Paper")
    page.keyboard.press("Enter")
    assert wait_for_ask(page, "setRoom")[0]["rules"] == {"topic": "Paper"}


def test_leaving_as_the_last_member_is_asked_twice(opened: Open) -> None:
    page = opened()
    page.evaluate(
        "void (fake.answers.leaveRoom = ({ sure }) => { if (!sure) throw fake.refusal('last_member', 'Only you'); })"
    )
    act(page, "leave")
    dialog(page).get_by_role("button", name="Leave").click()
    page.get_by_text("its messages are lost").wait_for()
    dialog(page).get_by_role("button", name="Leave").click()
    assert [each.get("sure") for each in wait_for_ask(page, "leaveRoom", 2)] == [None, True]
    page.wait_for_selector("dialog", state="detached")


def test_rooms_are_listed_filtered_joined_and_made(opened: Open) -> None:
    page = opened()
    act(page, "rooms")
    options = dialog(page).get_by_role("option")
    options.filter(has_text="#garden").wait_for()
    assert options.all_inner_texts()[0].startswith("#lobby"), "the largest first"
    page.keyboard.type("gar")
    assert [text.split("\n")[0] for text in options.all_inner_texts()] == ["#garden", "Join or create #gar"]
    page.get_by_role("combobox").fill("kitchen")
    page.keyboard.press("Enter")
    assert wait_for_ask(page, "join")[0]["room"] == "kitchen"
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("fake.app.route.key") == "r90"


def test_a_person_is_chosen_by_name_or_typed(opened: Open) -> None:
    page = opened()
    act(page, "msg")
    options = dialog(page).get_by_role("option")
    page.keyboard.type("us")
    assert options.all_inner_texts() == ["user1 pc", "user1", "us"]
    options.first.click()
    assert wait_for_ask(page, "openDirect")[0]["name"] == "user1 pc"
    page.wait_for_selector("dialog", state="detached")
    change(page, "ops.room.private = true")
    act(page, "invite")
    dialog(page)
    page.keyboard.type("nobody")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="no person").wait_for()
    page.get_by_role("combobox").fill("eko")
    page.keyboard.press("Enter")
    assert wait_for_ask(page, "invite")[0]["person"] == 6


def test_what_was_done_about_a_member_is_said(opened: Open) -> None:
    page = opened()
    act(page, "mute", "{ person: fake.person(2) }")
    dialog(page).get_by_role("button", name="Mute").click()
    page.locator(".toast", has_text="budi was muted for 10 min").wait_for()
    command(page, "/kick cici")
    page.locator(".toast", has_text="cici was removed").wait_for()
    act(page, "role", "{ person: fake.person(2) }")
    asked = dialog(page)
    assert asked.locator(":checked").count() == 0, "the page does not know the present role"
    asked.get_by_role("button", name="Save").click()
    asked.get_by_role("alert").filter(has_text="Choose a role").wait_for()
    asked.get_by_label("Moderator").check()
    asked.get_by_role("button", name="Save").click()
    page.locator(".toast", has_text="budi is moderator now").wait_for()
    assert wait_for_ask(page, "grant")[0]["role"] == "moderator"


def test_the_menu_of_a_room_begins_with_what_is_wanted_most(opened: Open) -> None:
    page = opened()
    labels = "fake.items('conversation').map(({ label }) => label)"
    found = page.evaluate(labels)
    assert found.index("Unban") > found.index("Members")
    assert "Copy link" in found, "it invites to a public room"
    change(page, "ops.room.private = true")
    found = page.evaluate(labels)
    assert "Invite" in found
    assert "Copy link" not in found
    assert "Invite" not in page.evaluate("fake.items('person', { person: fake.person(2) }).map(({ label }) => label)")
    act(page, "unban")
    dialog(page)
    assert page.get_by_role("option").count() == 0, "all are here"


def test_leaving_a_private_room_warns(opened: Open) -> None:
    page = opened()
    change(page, "ops.room.private = true")
    act(page, "leave")
    assert "no other owner" in dialog(page).inner_text()


def test_unsaved_room_settings_are_not_lost_by_a_key(opened: Open) -> None:
    page = opened()
    act(page, "room")
    asked = dialog(page)
    asked.get_by_label("Topic").fill("New")
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Discard the changes?").wait_for()
    dialog(page).get_by_role("button", name="Cancel").click()
    until(page, "document.querySelectorAll('dialog').length === 1")
    assert asked.get_by_label("Topic").input_value() == "New"
    page.mouse.click(5, 5)
    page.get_by_role("heading", name="Discard the changes?").wait_for()
    dialog(page).get_by_role("button", name="Discard").click()
    page.wait_for_selector("dialog", state="detached")
    assert asks(page, "setRoom") == []


def test_members_have_a_menu(opened: Open) -> None:
    page = opened()
    page.evaluate("fake.app.go({ panel: 'members' })")
    page.locator(".member").first.wait_for()
    assert page.locator(".member").all_inner_texts()[0] == "ana\nyou\nowner"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Hide messages").click()
    assert page.evaluate("fake.app.settings.ignored") == [2]
    page.locator(".member", has_text="budi").filter(has_text="hidden").wait_for()
    page.locator(".member", has_text="user1 pc").click()
    page.get_by_role("menuitem", name="Mention").click()
    assert field(page).input_value() == "@user1 pc "


# --- search, emoji, switcher ---


def test_search_by_fields_marks_hits_and_jumps(opened: Open) -> None:
    page = opened()
    page.evaluate("fake.app.go({ panel: 'search' })")
    panel = page.locator(".panel")
    panel.get_by_label("Search for").fill("paper")
    panel.get_by_text("Filters").click()
    panel.get_by_label("Sender").fill("user1 pc")
    panel.locator("[name=room]").select_option("ops")
    panel.get_by_label("After").fill("2026-11-20")
    panel.get_by_label("With a link").check()
    panel.get_by_label("Search for").press("Enter")
    panel.locator(".hit").first.wait_for()
    question = asks(page, "search")[0]
    assert question["query"] == 'paper from:"user1 pc" in:#ops after:2026-11-20 has:link'
    assert question["since"] == page.evaluate("new Date(2026, 10, 20).getTime()")
    assert panel.locator("mark").all_inner_texts() == ["paper", "paper"], "code points, behind an emoji"
    panel.get_by_role("button", name="Show more").click()
    panel.get_by_text("old paper").wait_for()
    assert asks(page, "search")[1]["before"] == 100
    panel.get_by_label("Search for").press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.evaluate("fake.app.route") == {"key": "r5", "seq": 102, "panel": "search"}
    assert panel.locator(".hit").count() == 3, "it stays open"


def test_a_busy_search_is_tried_again(opened: Open) -> None:
    page = opened()
    page.clock.install()
    page.evaluate("""() => {
        let tries = 0;
        const found = fake.answers.search;
        fake.answers.search = (question) => {
            if (++tries < 3) throw fake.refusal('busy', 'Too many searches', { retryS: 5 });
            return found(question);
        };
        fake.app.go({ panel: 'search' });
    }""")
    page.get_by_label("Search for").fill("paper")
    page.get_by_label("Search for").press("Enter")
    for count in (1, 2):
        wait_for_ask(page, "search", count)
        page.clock.run_for(5_001)
    page.locator(".hit").first.wait_for()
    assert len(asks(page, "search")) == 3


def test_a_reaction_is_chosen_by_name_and_by_keyboard(opened: Open) -> None:
    page = opened()
    page.locator("[data-seq='100']").click()
    page.get_by_role("menuitem", name="React").click()
    picker = dialog(page)
    picker.get_by_label("Search by name").fill("party")
    picker.get_by_role("option", name="party popper").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert wait_for_act(page, "react")[0] | {"sign": ""} == {
        "do": "react", "key": "r5", "seq": 100, "sign": "", "on": True,
    }  # fmt: skip
    assert len(page.evaluate("fake.app.settings.recentEmoji")) == 1


def test_emoji_without_their_names_are_still_there(opened: Open) -> None:
    page = opened()
    page.evaluate("fake.app.facts.files = {}")
    page.route("**/index.html", lambda route: route.fulfill(status=200, body="no json"))
    page.get_by_role("button", name="Emoji").click()
    dialog(page).get_by_role("option", name="👍").click()
    until(page, "document.querySelector('.composer-field').value === '👍'")


def test_the_switcher_puts_the_unread_first_and_joins_what_is_new(opened: Open) -> None:
    page = opened()
    page.keyboard.press("Control+k")
    options = dialog(page).get_by_role("option")
    assert options.all_inner_texts()[0].startswith("#secret"), "it mentions the user"
    assert options.all_inner_texts()[-1].startswith("Message "), "people, before anything is typed"
    page.keyboard.type("my new Room!!")
    assert options.all_inner_texts() == ["Join or create #my-new-room"]
    page.get_by_role("combobox").fill("kitch")
    assert options.all_inner_texts() == ["Join or create #kitch"]
    page.keyboard.press("Enter")
    assert wait_for_ask(page, "join")[0]["room"] == "kitch"
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("Control+k")
    dialog(page)
    page.keyboard.type("lob")
    page.keyboard.press("Enter")
    until(page, "fake.app.route.key === 'r1'")


# --- Firefox and WebKit ---


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:setting remote_server_addr:DeprecationWarning")  # selenium's own
@pytest.mark.parametrize("engine", ["firefox", "webkit"])
def test_other_engines(engine: str, origin: str, tmp_path: Path) -> None:
    with firefox(tmp_path / "profile") if engine == "firefox" else webkit() as browser:
        browser.open(f"{origin}/pages/compose/index.html")
        wait_for(browser, "document.body?.dataset.ready === ''", "the page")
        height = "document.querySelector('.composer-field').offsetHeight"

        def fill(text: str) -> None:
            browser.js(
                f"(() => {{ const field = document.querySelector('.composer-field'); field.value = {text!r};"
                " field.focus();"
                " field.dispatchEvent(new Event('input', { bubbles: true })); })()"
            )

        low = browser.js(height)
        fill("one\ntwo\nthree")
        assert browser.js(height) > low + 30
        fill("line\n" * 60)
        assert browser.js(f"{height} <= innerHeight / 3 + 1 && document.documentElement.scrollHeight <= innerHeight")
        fill("")
        assert browser.js(height) == low
        browser.type("hi @dew")
        wait_for(browser, "document.querySelectorAll('.choices li').length", "names")
        browser.type("\n")
        browser.type("there\n")
        sent = "fake.acts.filter((each) => each.do === 'send').map((each) => each.text).join()"
        assert browser.js(sent) == "hi @Dewi Lestari there"
        browser.js("void fake.act('room')")
        wait_for(browser, "Boolean(document.querySelector('dialog[open] select'))", "the dialog")
        browser.js("document.querySelector('dialog header button').click()")
        wait_for(browser, "document.activeElement.className === 'composer-field'", "the focus back")
        browser.js("(document.querySelector('[data-seq=\"104\"]').focus(), document.activeElement.click())")
        wait_for(browser, "document.activeElement.innerText.startsWith('Reply')", "the menu")


# --- every dialog, on small screens, in each theme and engine ---

DIALOGS = {
    "room": "{}",
    "rooms": "{}",
    "msg": "{}",
    "help": "{}",
    "history": "{}",
    "leave": "{}",
    "topic": "{}",
    "unban": "{}",
    "switch": "{}",
    "role": "{ person: fake.person(2) }",
    "mute": "{ person: fake.person(2) }",
    "ban": "{ person: fake.person(2) }",
    "whois": "{ person: fake.person(2) }",
    "react": "{ message: fake.conversations.get('r5').last }",
}


def settle(page: Page) -> None:
    """Wait until nothing is loading."""
    page.wait_for_load_state("networkidle")
    until(page, "!/Loading/.test(document.body.innerText)")


def test_nothing_scrolls_sideways_and_all_can_be_touched(opened: Open) -> None:
    page = opened(NARROW)
    wide = (
        "[document.documentElement.scrollWidth, ...[...document.querySelectorAll('dialog, dialog *, .panel, .panel *')]"
        ".map((each) => Math.round(each.getBoundingClientRect().right))].filter((each) => each > innerWidth)"
    )
    small = """[...document.querySelectorAll('button, input, select, a[href], [role=option], [role=menuitem]')]
        .filter((each) => each.checkVisibility() && !each.closest('.talk'))
        .map((each) => [each.closest('label.check') ?? each, each])
        .filter(([each]) => Math.min(each.getBoundingClientRect().width, each.getBoundingClientRect().height) < 43.5)
        .map(([, each]) => each.outerHTML.slice(0, 120))"""
    for name, context in DIALOGS.items():
        act(page, name, context)
        asked = dialog(page)
        settle(page)
        assert page.evaluate(wide) == [], name
        assert page.evaluate(small) == [], name
        asked.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    for panel in ("members", "search"):
        page.evaluate(f"fake.app.go({{ panel: '{panel}' }})")
        page.wait_for_selector(".panel")
        settle(page)
        assert page.evaluate(wide) == [], panel
        assert page.evaluate(small) == [], panel
        page.evaluate("fake.app.go({ panel: '' })")
    page.locator("[data-seq='104']").tap()
    page.wait_for_selector(".menu")
    assert page.evaluate(wide) == []
    assert page.evaluate(small) == []


@pytest.mark.parametrize(
    "theme", ["light", pytest.param("dark", marks=pytest.mark.slow), pytest.param("contrast", marks=pytest.mark.slow)]
)
def test_axe_finds_nothing(opened: Open, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page = opened(query=f"theme={theme}")
    rules = {"resultTypes": ["violations"], **(COLOURS if theme != "light" else {})}

    def check(what: str) -> None:
        settle(page)
        found = axe.run(page, options=rules).response["violations"]
        assert not found, f"{what}: " + "\n".join(
            f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]
        )

    check("composer")
    type_in(page, "/m")
    page.get_by_role("option").first.wait_for()
    check("completion")
    field(page).fill("")
    for name, context in DIALOGS.items():
        act(page, name, context)
        dialog(page)
        check(name)
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")
    page.locator("[data-seq='104']").click()
    check("menu")
    page.keyboard.press("Escape")
    for panel in ("members", "search"):
        page.evaluate(f"fake.app.go({{ panel: '{panel}' }})")
        page.wait_for_selector(".panel")
        if panel == "search":
            page.get_by_label("Search for").fill("paper")
            page.get_by_label("Search for").press("Enter")
            page.locator(".hit").first.wait_for()
        check(panel)
