"""Webhooks: any body becomes a bounded text or an answer of Slack's, and nothing of Slack's becomes a mention."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from securechat.hub.messages.mentions import mentioned
from securechat.limits import MAX_TEXT_BYTES, MAX_TEXT_CHARS
from securechat.server.hooks.answers import INVALID_PAYLOAD, NO_TEXT, HookError
from securechat.server.hooks.payload import FORM, HookPayload, parse
from securechat.server.hooks.rendering import RenderedText, render

# Nothing here has an @ but in what Slack takes for a mention.
PIECES = st.sampled_from(
    [
        *("a", " ", "\n", "\r\n", "*", "_", "~", "`", "```", "<", ">", "|", "&", "&amp;", "&lt;", ":", "(", ")", "•"),
        *("<!channel>", "<!here|@here>", "<@U1>", "<@U1|ana>", "<@ana>", "<#C1|@ana>", "<!subteam^S1|@ana x>"),
        *("<!date^1^{date}|@ana>", "<https://a.lan|b>", "<https://a.lan>", "*a*", "\u034f*", "가", "😀", "\u0301"),
    ]
)
WORDS = st.lists(PIECES, max_size=8).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="@"), max_size=20
)
VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | WORDS
NAMES = st.sampled_from(
    [
        *("type", "text", "attachments", "blocks", "mrkdwn", "username", "pretext", "author_name", "title", "fields"),
        *("title_link", "footer", "fallback", "image_url", "thumb_url", "actions", "value", "short", "elements", "url"),
        *("accessory", "alt_text", "style", "indent", "offset", "unicode", "name", "user_id", "channel_id", "range"),
        "usergroup_id",
    ]
)
KINDS = st.sampled_from(
    [
        *("header", "section", "context", "actions", "rich_text", "divider", "image", "markdown", "video", "mrkdwn"),
        *("plain_text", "button", "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"),
        *("text", "link", "emoji", "user", "usergroup", "channel", "broadcast", "date", "color"),
    ]
)


def _typed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(st.dictionaries(NAMES, inner, max_size=5), KINDS).map(lambda pair: {**pair[0], "type": pair[1]})


ANYTHING = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6) | _typed(inner),
    max_leaves=12,
)


def element() -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the fields that a part may have, of the right types mostly."""
    return st.fixed_dictionaries({"type": KINDS}, optional=dict.fromkeys(_STRINGS, WORDS))


_STRINGS = ("text", "title", "value", "url", "name", "user_id", "channel_id", "usergroup_id", "range", "alt_text")
SECTIONS = st.fixed_dictionaries({"type": KINDS, "elements": st.lists(element(), max_size=4)})
BLOCKS = st.lists(
    st.fixed_dictionaries(
        {"type": KINDS},
        optional={
            "text": element() | WORDS,
            "fields": st.lists(element(), max_size=3),
            "elements": st.lists(SECTIONS | element(), max_size=3),
            "accessory": element(),
        },
    ),
    max_size=4,
)
ATTACHMENTS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("pretext", "author_name", "title", "title_link", "text", "footer", "fallback"), WORDS),
            "fields": st.lists(
                st.fixed_dictionaries({"title": WORDS, "value": WORDS, "short": st.booleans()}), max_size=3
            ),
            "blocks": BLOCKS,
            "actions": st.lists(element(), max_size=2),
        },
    ),
    max_size=3,
)
PAYLOADS = st.fixed_dictionaries({}, optional={"text": WORDS, "attachments": ATTACHMENTS, "blocks": BLOCKS})


def rendered(fields: dict[str, Any], *limits: int) -> RenderedText | None:
    """The text of a payload; None for one that says nothing."""
    try:
        return render(HookPayload(fields), *limits)
    except HookError as error:
        assert error.answer is NO_TEXT
        return None


def expect_fit(found: RenderedText | None, most_chars: int = MAX_TEXT_CHARS, most_bytes: int = MAX_TEXT_BYTES) -> None:
    """What the hub asks of a text (`hub.messages.posting`)."""
    if found is not None:
        assert found.text
        assert not found.text.isspace()
        assert len(found.text) <= most_chars
        assert len(found.text.encode()) <= most_bytes
        assert found.ignored >= 0


@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
def test_any_json_is_a_bounded_text_or_none(fields: dict[str, Any]) -> None:
    found = rendered(fields)
    expect_fit(found)
    assert found is None or mentioned(found.text, lambda _key: 1) == ()


@example(
    {"blocks": [{"type": "rich_text", "elements": [{"elements": [{"type": "date", "url": "<!here|@here>"}]}]}]},
    100,
    100,
)
@given(PAYLOADS, st.integers(100, 300), st.integers(100, 600))
def test_no_payload_mentions_a_member(fields: dict[str, Any], chars: int, size: int) -> None:
    found = rendered(fields, chars, size)
    expect_fit(found, chars, size)
    assert found is None or mentioned(found.text, lambda _key: 1) == ()


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 3_000))
def test_long_texts_are_cut_and_not_refused(words: list[str], times: int) -> None:
    found = rendered({"text": "x" + "".join(words) * times})
    expect_fit(found)
    assert found is not None
    assert mentioned(found.text, lambda _key: 1) == ()


@given(st.dictionaries(NAMES, WORDS, max_size=3))
def test_a_payload_means_the_same_as_json_and_in_a_form(fields: dict[str, Any]) -> None:
    body = msgspec.json.encode(fields)
    quoted = b"payload=" + b"".join(b"%%%02X" % byte for byte in body)
    assert parse(body, "application/json") == parse(quoted, FORM) == parse(body, "") == HookPayload(fields)


@given(
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    st.sampled_from(["", "application/json", FORM, "text/plain", "image/png", "text/plain; charset=x"]),
)
def test_any_bytes_are_a_payload_or_none(body: bytes, content_type: str) -> None:
    try:
        payload = parse(body, content_type)
    except HookError as error:
        assert error.answer is INVALID_PAYLOAD
        return
    try:
        expect_fit(render(payload))
    except HookError as error:
        assert error.answer is NO_TEXT


def test_the_mention_that_is_looked_for_can_be_found() -> None:
    with pytest.raises(AssertionError):
        test_no_payload_mentions_a_member.hypothesis.inner_test({"text": "@ana"}, 300, 600)  # type: ignore[attr-defined]
