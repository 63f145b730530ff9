"""/open, /copy and /url: which link of a message is meant, and what becomes of it."""

from __future__ import annotations

import ssl

import pytest

from securechat.client import catalogue
from securechat.client.catalogue.help_pages import usage
from securechat.client.core.state import RoomKey
from securechat.client.ui.commands.parser import read
from securechat.client.ui.commands.results import InputError, LinkRequest, LinkVerb, ParsedInput
from securechat.client.ui.interaction import InputResult, Interaction
from securechat.client.ui.message_numbers import MessageNumbers
from securechat.model import FileInfo, Message
from securechat.tls.contexts import ClientContext
from tests.support.core_driver import Driver

HERE = RoomKey("lobby")
ONE, OTHER = "https://one.example/a", "http://other.example/?b=c"


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("/open 48213", LinkRequest(LinkVerb.OPEN, "48213")),
        ("/open [48213.2]", LinkRequest(LinkVerb.OPEN, "48213", 2)),
        ("/copy 13", LinkRequest(LinkVerb.COPY, "13")),
        ("/copy 13 text", LinkRequest(LinkVerb.COPY, "13", whole_text=True)),
        ("/url 13.1", LinkRequest(LinkVerb.PRINT, "13", 1)),
        ("/url", InputError(usage("/url"))),
        ("/open https://one.example/", InputError(usage("/open"))),
        ("/open 13 text", InputError(usage("/open"))),
        ("/copy 13.2 text", InputError(usage("/copy"))),
    ],
)
def test_what_is_typed_about_a_link(line: str, meaning: ParsedInput) -> None:
    assert read(line, HERE, ()) == meaning


def user(*texts: str) -> Interaction:
    """A user who was shown these messages, from 101 on, and the number of a further one."""
    driver = Driver()
    driver.settle()
    numbers = MessageNumbers()
    for seq, text in enumerate(texts, 101):
        numbers.add(driver.core.current, seq, Message(seq, 0, 5, "ann", 0, text, "lobby"))
    numbers.add(driver.core.current, 999)
    return Interaction(driver.core, numbers, ClientContext(ssl.PROTOCOL_TLS_CLIENT))


def test_one_link_is_opened_copied_or_printed_at_once() -> None:
    one = user(f"see {ONE}, and again {ONE}!")
    assert one.take("/open 101") == InputResult(open=ONE)
    assert one.take("/copy 01") == InputResult(copy=ONE)
    assert one.take("/url 101") == InputResult(lines=(ONE,))


def test_of_several_links_one_is_chosen_by_its_place() -> None:
    one = user(f"{ONE} or {OTHER}")
    listed = one.take("/open 101")
    assert listed.notice.split("\n") == [
        f"[101.1] {ONE}",
        f"[101.2] {OTHER}",
        "There are several links. The first one: /open 101.1",
    ]
    assert not listed.open
    assert one.take("/open 101.2") == InputResult(open=OTHER)
    assert one.take("/copy 101.2") == InputResult(copy=OTHER)
    assert one.take("/url 101") == InputResult(lines=(ONE, OTHER))
    for place in (0, 3):
        assert one.take(f"/open 101.{place}") == InputResult(notice=catalogue.links.NO_LINK(), refused=True)


def test_without_a_link_the_text_is_copied_and_nothing_opened() -> None:
    one = user("only words")
    assert one.take("/copy 101") == InputResult(copy="only words")
    assert one.take("/open 101").notice == one.take("/url 101").notice == catalogue.links.NO_LINK()
    assert one.take("/copy 101.1").notice == catalogue.links.NO_LINK()
    assert user(f"a {ONE}").take("/copy 101 text") == InputResult(copy=f"a {ONE}")


def test_what_is_not_known_is_said() -> None:
    one = user(ONE)
    assert one.take("/open 999").notice == catalogue.links.UNKNOWN_TEXT()
    assert one.take("/open 5").notice == catalogue.rooms.no_such_number("5")


@pytest.mark.parametrize(
    "text", ["javascript://x", "file:///etc/passwd", "ftp://a.b/", "-https", "HTTPS:", "`https://a.b/`"]
)
def test_only_http_and_https_are_links(text: str) -> None:
    assert user(text).take("/open 101").notice == catalogue.links.NO_LINK()


def test_a_copied_text_has_no_control_that_a_paste_would_obey() -> None:
    copied = user("rm -rf\r\x1b[201~\x03ls").take("/copy 101").copy
    assert not set("\r\x1b\x03") & set(copied)


def test_the_lines_that_name_files_are_not_copied() -> None:
    one = user()
    file = FileInfo("ab" * 16, "a.pdf", 5)
    one._numbers.add(HERE, 50, Message(50, 0, 5, "ann", 0, "look\n[file: a.pdf, 5 B]", "lobby", files=[file]))
    assert one.take("/copy 50") == InputResult(copy="look")
