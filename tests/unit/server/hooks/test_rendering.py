"""Slack's payloads become texts: everything that says something, once, and nothing that mentions a member."""

from __future__ import annotations

from typing import Any

import pytest

from securechat.hub.messages.mentions import mentioned
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.server.hooks.answers import NO_TEXT, HookError
from securechat.server.hooks.payload import HookPayload
from securechat.server.hooks.rendering import MOST_CHARS, MOST_PARTS, render


def text_of(**fields: Any) -> str:
    return render(HookPayload(fields)).text


def ignored_of(**fields: Any) -> int:
    return render(HookPayload({"text": "a", **fields})).ignored


def header(text: object) -> dict[str, object]:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def section(text: str, **more: object) -> dict[str, object]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def rich(*elements: object) -> dict[str, object]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(elements)}]}


def expect_no_text(**fields: Any) -> None:
    with pytest.raises(HookError) as caught:
        render(HookPayload(fields))
    assert caught.value.answer is NO_TEXT


def test_a_text() -> None:
    assert text_of(text="*Disk* full on <https://nas.lan|nas>") == "Disk full on nas (https://nas.lan)"


def test_a_plain_text_is_not_slacks() -> None:
    assert render(HookPayload(None, " *a* <b> &amp;\r\nc\n")).text == "*a* <b> &amp;\nc"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": ""},
        {"text": " \n"},
        {"text": None},
        {"text": []},
        {"text": {}},
        {"attachments": []},
        {"attachments": [{}]},
        {"attachments": [{"color": "danger", "fallback": ""}]},
        {"attachments": None, "blocks": None},
        {"blocks": [{"type": "divider"}, {"type": "divider"}]},
        {"blocks": [{"type": "actions", "elements": [{"type": "button", "text": "Press"}]}]},
        {"blocks": [section("")]},
        {"channel": "#ops", "icon_url": "https://a.lan/i.png"},
        {"username": "CI"},
    ],
)
def test_a_payload_that_says_nothing(fields: dict[str, Any]) -> None:
    expect_no_text(**fields)


@pytest.mark.parametrize("text", ["", " \r\n\t"])
def test_a_plain_text_that_says_nothing(text: str) -> None:
    with pytest.raises(HookError) as caught:
        render(HookPayload(None, text))
    assert caught.value.answer is NO_TEXT


# --- Attachments ------------------------------------------------------------------------------------------------------


def test_the_order_of_an_attachment() -> None:
    attachment = {
        "footer": "Footer",
        "image_url": "https://a.lan/i.png",
        "thumb_url": "https://a.lan/t.png",
        "actions": [{"type": "button", "text": "Open", "url": "https://a.lan"}],
        "fields": [{"title": "Field", "value": "1"}],
        "text": "Text",
        "title_link": "https://a.lan/t",
        "title": "Title",
        "author_link": "https://a.lan/a",
        "author_name": "Author",
        "pretext": "Pretext",
        "fallback": "Fallback",
    }
    assert text_of(text="Message", attachments=[attachment]).split("\n") == [
        "Message",
        "Pretext",
        "Author (https://a.lan/a)",
        "Title (https://a.lan/t)",
        "Text",
        "Field: 1",
        "Open (https://a.lan)",
        "https://a.lan/i.png",
        "https://a.lan/t.png",
        "Footer",
    ]


def test_a_fallback_is_shown_when_nothing_else_is_there() -> None:
    assert text_of(attachments=[{"fallback": "Down", "color": "danger"}]) == "Down"
    assert text_of(attachments=[{"fallback": "Down", "footer": "Kuma"}]) == "Kuma"


def test_a_title_that_is_its_address() -> None:
    assert text_of(attachments=[{"title": "https://a.lan", "title_link": "https://a.lan"}]) == "https://a.lan"


def test_short_fields_that_follow_each_other_are_one_line() -> None:
    fields = [
        {"title": "A", "value": "1", "short": True},
        {"title": "B", "value": "2", "short": True},
        {"title": "C", "value": "3"},
        {"title": "D", "value": "4", "short": True},
        {"title": "E", "value": "two\nlines", "short": True},
        {"title": "F", "value": "5", "short": True},
    ]
    assert text_of(attachments=[{"fields": fields}]) == "A: 1 · B: 2\nC: 3\nD: 4\nE:\ntwo\nlines\nF: 5"


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ({"title": "Count", "value": 3}, "Count: 3"),
        ({"title": "Load", "value": 0.5}, "Load: 0.5"),
        ({"title": "Up", "value": True}, "Up: true"),
        ({"title": "Down", "value": False}, "Down: false"),
        ({"title": "Ends:", "value": "now"}, "Ends: now"),
        ({"title": "Alone", "value": None}, "Alone"),
        ({"value": "Alone"}, "Alone"),
        ({"title": "Text", "value": {"type": "mrkdwn", "text": "*a*"}}, "Text: a"),
    ],
)
def test_values_of_fields(field: dict[str, object], line: str) -> None:
    assert text_of(attachments=[{"fields": [field]}]) == line


def test_attachments_have_an_empty_line_between_them() -> None:
    assert text_of(attachments=[{"title": "A", "text": "a"}, {}, {"text": "b"}]) == "A\na\n\nb"


def test_one_attachment_without_its_list() -> None:
    assert text_of(attachments={"text": "a", "fields": {"title": "b", "value": "c"}}) == "a\nb: c"


# --- Blocks -----------------------------------------------------------------------------------------------------------


def test_blocks() -> None:
    blocks = [
        {"type": "divider"},
        header("Title &amp; more"),
        section(
            "*Host* nas", fields=[{"type": "mrkdwn", "text": "*State*\ndown"}, {"type": "plain_text", "text": "*x*"}]
        ),
        {"type": "divider"},
        {"type": "context", "elements": [{"type": "image", "image_url": "i"}, {"type": "mrkdwn", "text": "by _me_"}]},
        {"type": "image", "image_url": "https://a.lan/i.png", "alt_text": "Graph"},
        {"type": "markdown", "text": "**kept** <https://a.lan>"},
        {"type": "video", "title": {"text": "Film"}, "title_url": "https://a.lan/v", "description": {"text": "Fire"}},
        {"type": "divider"},
    ]
    assert text_of(blocks=blocks).split("\n") == [
        "Title & more",
        "Host nas",
        "State: down",
        "*x*",
        "---",
        "by me",
        "Graph (https://a.lan/i.png)",
        "**kept** https://a.lan",
        "Film (https://a.lan/v)",
        "Fire",
    ]


def test_buttons_are_their_label_and_address() -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Visit"}, "url": "https://a.lan"}
    assert text_of(blocks=[{"type": "actions", "elements": [button]}]) == "Visit (https://a.lan)"
    assert text_of(blocks=[section("a", accessory=button)]) == "a\nVisit (https://a.lan)"
    picture = {"type": "image", "image_url": "https://a.lan/i.png", "alt_text": "Graph"}
    assert text_of(blocks=[section("a", accessory=picture)]) == "a\nGraph (https://a.lan/i.png)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("*Message*\nall is well", "Message: all is well"),
        ("*Message:*\r\nall is well", "Message: all is well"),
        ("*Message*\ntwo\nlines", "Message:\ntwo\nlines"),
        ("*Message*\n", "Message"),
        ("*Message* all", "Message all"),
        ("*One*\n*Two*", "One: Two"),
    ],
)
def test_fields_of_a_section_with_a_title(text: str, line: str) -> None:
    assert text_of(blocks=[{"type": "section", "fields": [{"type": "mrkdwn", "text": text}]}]) == line


def test_rich_text() -> None:
    block = rich(
        {"type": "text", "text": "See "},
        {"type": "link", "url": "https://a.lan", "text": "this"},
        {"type": "text", "text": " by "},
        {"type": "user", "user_id": "U1"},
        {"type": "text", "text": ", "},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "text", "text": " in "},
        {"type": "channel", "channel_id": "C1"},
        {"type": "text", "text": " "},
        {"type": "broadcast", "range": "here"},
        {"type": "text", "text": " "},
        {"type": "emoji", "name": "family", "unicode": "1f468-200d-1f469"},
        {"type": "emoji", "name": "own"},
        {"type": "text", "text": " on "},
        {"type": "date", "timestamp": 1, "format": "{date}", "fallback": "1 May"},
    )
    assert text_of(blocks=[block]) == "See this (https://a.lan) by U1, S1 in #C1 here 👨\u200d👩:own: on 1 May"


def test_lists_quotes_and_code_of_rich_text() -> None:
    def item(text: str) -> dict[str, object]:
        return {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}

    block = {
        "type": "rich_text",
        "elements": [
            {"type": "rich_text_list", "style": "bullet", "elements": [item("a"), item(""), item("b")]},
            {
                "type": "rich_text_list",
                "style": "ordered",
                "indent": 1,
                "offset": 2,
                "elements": [item("c"), item("d")],
            },
            {"type": "rich_text_quote", "elements": [{"type": "text", "text": "e\nf"}]},
            {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "*g*"}]},
        ],
    }
    assert text_of(blocks=[block]) == "• a\n• b\n  3. c\n  4. d\n> e\n> f\n```\n*g*\n```"


@pytest.mark.parametrize(
    ("key", "value"), [("indent", 10**4_000), ("offset", 10**4_000), ("offset", -1), ("indent", "a")]
)
def test_numbers_of_a_list_are_bounded(key: str, value: object) -> None:
    item = {"type": "rich_text_section", "elements": [{"type": "text", "text": "a"}]}
    listed = {"type": "rich_text_list", "style": "ordered", "elements": [item], key: value}
    assert len(text_of(blocks=[{"type": "rich_text", "elements": [listed]}])) < 30


@pytest.mark.parametrize("unicode", ["40", "0a", "1b", "d83d", "110000", "1f600-40", "x", "", "1f600-" * 20, "1F600"])
def test_an_emoji_is_nothing_else(unicode: str) -> None:
    assert text_of(blocks=[rich({"type": "emoji", "unicode": unicode, "name": "n"})]) == ":n:"


def test_a_key_cap_is_an_emoji() -> None:
    assert text_of(blocks=[rich({"type": "emoji", "unicode": "31-fe0f-20e3"})]) == "1\ufe0f\u20e3"


def test_a_block_of_another_kind_shows_its_text() -> None:
    assert text_of(blocks=[{"type": "callout", "text": {"type": "mrkdwn", "text": "*new*"}}]) == "new"
    assert text_of(blocks=[{"type": ["section"], "text": "a"}, {"text": "b"}]) == "a\nb"


# --- Text that blocks repeat ------------------------------------------------------------------------------------------


def test_a_text_that_the_blocks_repeat_stands_once() -> None:
    assert text_of(text="*Deploy*  done", blocks=[section("Deploy done"), section("in 4 s")]) == "Deploy done\nin 4 s"


def test_a_text_that_fields_of_blocks_in_an_attachment_repeat_stands_once() -> None:
    blocks = [header("Alert"), {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Message*\nShop is down"}]}]
    assert text_of(text="Alert\nShop is down", attachments=[{"blocks": blocks}]) == "Alert\nMessage: Shop is down"


@pytest.mark.parametrize("text", ["Deploy", "Deploy done\nlate", "done", "OK"])
def test_a_text_that_says_more_or_less_stays(text: str) -> None:
    shown = text_of(text=text, blocks=[header("Deploy done"), header("BROKEN")])
    assert shown == f"{text}\nDeploy done\nBROKEN"


def test_a_text_that_an_attachment_without_blocks_repeats_stays() -> None:
    assert text_of(text="a", attachments=[{"text": "a"}]) == "a\na"


# --- What is left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({}, 0),
        ({"username": "CI", "mrkdwn": True}, 0),
        ({"channel": "#a", "icon_emoji": ":a:", "icon_url": "https://a.lan", "unknown": {}}, 4),
        ({"attachments": [{"text": "b", "color": "good", "ts": 1}]}, 2),
        ({"attachments": [{"fields": [{"title": "b", "value": "c", "colour": 1}]}]}, 1),
        ({"attachments": "b"}, 1),
        ({"attachments": ["b", 1, None, []]}, 4),
        ({"attachments": [{"text": ["b"], "image_url": 1}]}, 2),
        ({"blocks": [{"type": "a", "text": "b"}]}, 1),
        ({"blocks": [{**header("b"), "block_id": "c"}]}, 1),
        ({"blocks": [{"type": "actions", "elements": [{"type": "button", "text": "b", "action_id": "c"}]}]}, 2),
        ({"blocks": [rich({"type": "a"}, {"type": []}, {})]}, 3),
    ],
)
def test_what_is_not_shown_is_counted(fields: dict[str, Any], ignored: int) -> None:
    assert ignored_of(**fields) == ignored


def test_a_message_may_have_no_markup() -> None:
    assert text_of(text="*a* <!here>", mrkdwn=False, attachments=[{"text": "*b*"}]) == "*a* here\nb"


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", [], ["a"], {}, {"a": 1}, {"text": {"text": "a"}}, [[[]]]])
@pytest.mark.parametrize("name", ["text", "attachments", "blocks", "mrkdwn", "username"])
def test_fields_of_any_type(name: str, value: object) -> None:
    assert "said" in text_of(**{"attachments": [{"text": "said"}], "blocks": [header("said")], name: value})


# --- Mentions ---------------------------------------------------------------------------------------------------------


def test_slacks_mentions_mention_nobody() -> None:
    shown = text_of(
        text="<!channel> <@U1|ana> @<@U1|ana> <!subteam^S1|@ops>",
        attachments=[
            {"title": "<@ana>", "fields": [{"title": "To", "value": "<@U1|@ana>"}], "footer": "<!here|@here>"}
        ],
        blocks=[
            header("<@ana>"),
            rich({"type": "text", "text": "by @"}, {"type": "user", "user_id": "ana"}),
            rich({"type": "user", "user_id": "@ana"}, {"type": "channel", "channel_id": "@ana"}),
            rich({"type": "broadcast", "range": "@ana"}, {"type": "emoji", "name": "@ana"}),
            rich({"type": "emoji", "unicode": "40"}, {"type": "text", "text": "ana"}),
        ],
    )
    assert "ana" in shown
    assert mentioned(shown, lambda _key: 1) == ()


def test_a_name_that_the_sender_writes_is_a_mention_like_anyones() -> None:
    assert mentioned(text_of(text="@ana: look"), {"ana": 7}.get) == (7,)


# --- Lengths ----------------------------------------------------------------------------------------------------------


def test_a_long_text_is_cut_at_a_line_and_says_so() -> None:
    lines = [f"line {number}" for number in range(1_000)]
    shown = text_of(text="\n".join(lines))
    kept = shown.split("\n")
    assert kept[:-1] == lines[: len(kept) - 1]
    assert len(shown) <= MAX_TEXT_CHARS
    missing = len("\n".join(lines)) - len("\n".join(kept[:-1]))
    assert kept[-1] == f"({missing:,} more characters)"


def test_many_attachments_are_cut_as_a_whole() -> None:
    shown = text_of(attachments=[{"title": f"Alert {number}", "text": "is firing " * 10} for number in range(90)])
    assert shown.startswith("Alert 0\nis firing")
    assert 0.8 * MAX_TEXT_CHARS < len(shown) <= MAX_TEXT_CHARS
    assert shown.endswith(" more characters)")
    assert "more than" not in shown


def test_a_hundred_thousand_attachments() -> None:
    shown = text_of(attachments=[{"text": "a"}] * 100_000)
    assert shown == "\n\n".join("a" * (MOST_PARTS // 2)) + "\n(more)"


def test_markup_beyond_what_is_looked_at_is_counted() -> None:
    shown = text_of(text="a" * 100 + "\n" + "&amp;" * 20_000)
    assert shown.endswith(f"({100_000 - (MOST_CHARS - 101):,} more characters)")


def test_limits_of_a_server_with_shorter_texts() -> None:
    shown = render(HookPayload({"text": "😀" * 500}), 300, 800).text
    assert len(shown) <= 300
    assert len(shown.encode()) <= 800
    assert shown.endswith(" more characters)")


def test_the_longest_text_of_the_widest_characters_is_within_the_bytes() -> None:
    shown = text_of(text="😀" * 5_000)
    assert len(shown.encode()) <= MAX_TEXT_BYTES
    assert len(shown) > 0.9 * MAX_TEXT_CHARS
