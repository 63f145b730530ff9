"""Reads requests: the token, the parts of the path, the query, the body and the key; nothing is decoded twice."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from securechat.limits import MAX_TEXT_CHARS
from securechat.model.base import Id
from securechat.model.files import FileIds
from securechat.server.api.problems import ProblemError, RefusedError
from securechat.text.refusals import refusal_for
from securechat.wire.http import HttpError, Request

SECRET_PARAMETERS = frozenset({"token", "access_token", "key", "api_key", "auth", "secret", "authorization"})
"""Names in a query that mean a secret: a query is kept by histories, proxies and logs."""
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]{1,200}=*)\Z")
"""RFC 6750, section 2.1."""
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_KEY = re.compile(r"[!-~]{1,128}\Z")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")
MOST_ID = 2**53 - 1
"""The largest number of a record: see `securechat.model`."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MEDIA_TYPE = re.compile(rb"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;(.*))?\Z")
_CHARSET = re.compile(rb"charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)
_SAFE_REASONS = ("Expected `", "Object missing ", "Object contains ")
"""The beginnings of those sentences of msgspec that may name a field, and never hold a value."""
_DescribedText: TypeAlias = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": MAX_TEXT_CHARS})]
"""Bounded in the description alone: the hub has clearer words for it."""
_PostedText: TypeAlias = Annotated[str, Meta(extra_json_schema={"maxLength": MAX_TEXT_CHARS})]
"""Likewise; empty beside a file."""
_decode_any = msgspec.json.Decoder(float_hook=str).decode
"""For what is looked at as JSON alone: msgspec takes 16 µs to read a number such as 1e308, and none where a hook gets
its text. A body of them would delay every member by 180 ms.
"""
_T = TypeVar("_T", bound=Struct)


class PostedMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON of a new message.

    Attributes:
        text: of the message.
        reply_to: the seq of the message that it answers, in the same conversation.
        key: what the program calls it; the same as the header Idempotency-Key.
        files: ids of finished uploads of this sender; with one, the text may be empty.
    """

    text: _PostedText
    reply_to: Id | None = None
    key: Annotated[str, Meta(min_length=1)] | None = None
    files: FileIds = []


class EditedText(Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON of an edit: the new text."""

    text: _DescribedText


def expect_no_secret(request: Request) -> None:
    """Refuse a request that has a token in its query.

    Raises:
        ProblemError: 400.
    """
    query = request.target.partition("?")[2]
    if query and any(name.lower() in SECRET_PARAMETERS for name in _names(query)):
        raise ProblemError(
            400,
            "token_in_query",
            "A token does not belong into an address, which is kept in many places. Send it as Authorization: Bearer, "
            "and replace this one",
        )


def _names(query: str) -> list[str]:
    """The names of a query, unescaped as far as they can be."""
    names = (part.partition("=")[0].replace("+", " ").encode() for part in re.split("[&;]", query))
    return [_unescaped(name).decode("utf-8", "replace").strip() for name in names]


def token_of(request: Request) -> str:
    """Return the token of a request.

    Raises:
        ProblemError: 401, there is none; 400, there are two.
    """
    values = request.values(b"authorization")
    if len(values) > 1:
        raise ProblemError(400, "bad_request", "The request has two tokens")
    found = _BEARER.match(values[0]) if values else None
    if found is None:
        raise ProblemError(401, "token_missing", "Send a token as Authorization: Bearer TOKEN")
    return found[1].decode()


def segment(raw: str) -> str:
    """Return a part of a path, percent-decoded once (RFC 3986, section 2.1).

    Raises:
        ProblemError: 400, it is not UTF-8, or an escape is broken.
    """
    return _decoded(raw.encode())


def parameters(request: Request, known: Collection[str]) -> Mapping[str, str]:
    """Return the parameters of a query.

    Raises:
        ProblemError: 400, one is not known here, comes twice, or is no text.
    """
    query = request.target.partition("?")[2]
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = (_decoded(each.replace("+", " ").encode()) for each in part.partition("="))
        if name not in known:
            raise ProblemError(400, "bad_request", _unknown_parameter(known))
        if name in found:
            raise ProblemError(400, "bad_request", "The query has a parameter twice")
        found[name] = value
    return found


def number(text: str) -> int | None:
    """Return a number as programs write it, such as a seq; None for what is none, or over 2**53 - 1."""
    value = int(text) if _NUMBER.match(text) else None
    return value if value is not None and value <= MOST_ID else None


def number_parameter(query: Mapping[str, str], name: str) -> int | None:
    """Return a parameter that is a number; None where it is not given.

    Raises:
        ProblemError: 400, it is none.
    """
    text = query.get(name)
    if text is None:
        return None
    value = number(text)
    if value is None:
        raise ProblemError(400, "bad_request", f"The parameter {name} is a whole number", args={"parameter": name})
    return value


def is_json(request: Request) -> bool:
    """Whether the body is JSON; any other type, or none, is the text itself.

    Raises:
        ProblemError: 400, there are two types; 415, the type names another character set than UTF-8.
    """
    values = request.values(b"content-type")
    if not values:
        return False
    if len(values) > 1:
        raise ProblemError(400, "bad_request", "The request has two content types")
    found = _MEDIA_TYPE.match(values[0])
    if found is None:
        raise ProblemError(415, "media_type", "The content type is not one")
    charset = _CHARSET.search(found[2] or b"")
    if charset is not None and charset[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise ProblemError(415, "media_type", "A body is UTF-8")
    return found[1].lower() == b"application/json"


def message_of(body: bytes, *, as_json: bool) -> PostedMessage:
    """Return the message that a body is.

    Raises:
        ProblemError: 400, it is no JSON or no UTF-8; 422, a field has another type.
        RefusedError: the text is too long.
    """
    message = _from_json(body, PostedMessage) if as_json else PostedMessage(_text(body))
    _expect_text(message.text)
    return message


def edited_text_of(body: bytes, *, as_json: bool) -> str:
    """Return the new text that a body is; raises as `message_of`."""
    text = _from_json(body, EditedText).text if as_json else _text(body)
    _expect_text(text)
    return text


def key_of(request: Request) -> str | None:
    """Return the key of a request from its header Idempotency-Key; None without one.

    The draft of that name (draft-ietf-httpapi-idempotency-key-header-07) writes it in quotation marks, and most
    programs without; they are no part of the key.

    Raises:
        ProblemError: 400, it is empty, or there are two.
    """
    values = request.values(b"idempotency-key")
    if not values:
        return None
    if len(values) > 1:
        raise ProblemError(400, "bad_request", "The request has two keys")
    value = values[0].strip()
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        value = value[1:-1]
    return message_key(value)


def message_key(raw: bytes) -> str:
    """Return a key as messages have it: as it is, or the SHA-256 of one that is longer or has other characters.

    Raises:
        ProblemError: 400, it is empty.
    """
    if not raw:
        raise ProblemError(400, "bad_request", "A key is not empty")
    text = raw.decode("iso-8859-1")
    return text if _KEY.match(text) else sha256(raw).hexdigest()


def _unknown_parameter(known: Collection[str]) -> str:
    if not known:
        return "This address takes no query"
    return f"The query has a parameter that is not known here. There are: {', '.join(sorted(known))}"


def _text(body: bytes) -> str:
    """The text of a body that is no JSON, without the line end that a file or ``echo`` has behind it."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise ProblemError(400, "not_utf8", "The body is not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _expect_text(text: str) -> None:
    """Refuse what no message can be: the records of the hub bound a text, too, and it judges it exactly."""
    if len(text) > MAX_TEXT_CHARS:
        raise RefusedError(refusal_for("text_too_long", most=MAX_TEXT_CHARS))


def _from_json(body: bytes, kind: type[_T]) -> _T:
    try:
        try:
            record = msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError as error:
            raise _invalid(body, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if _SURROGATE.search(body) and _is_json(_SURROGATE.sub(rb"\\u00", body)):
            raise RefusedError(refusal_for("text_half_character")) from None
        raise _no_json() from None
    if body.count(b'"') > 4:  # one field of text has four: no name can stand twice
        import json  # noqa: PLC0415 - 2 ms of a start, for few bodies

        json.loads(body, object_pairs_hook=_without_doubles)  # flat, and valid: no depth to fear
    return record


def _invalid(body: bytes, why: str) -> HttpError:
    if not _is_json(body):  # msgspec stops at a wrong type, and what follows may be no JSON at all
        return _no_json()
    args = {"why": why} if why.startswith(_SAFE_REASONS) and "Object contains" not in why else {}
    detail = "The JSON of the body has not the fields that belong there. /api/v1/openapi.json has them"
    return ProblemError(422, "body_invalid", detail, args=args)


def _no_json() -> ProblemError:
    return ProblemError(400, "not_json", "The body is not JSON in UTF-8")


def _is_json(body: bytes) -> bool:
    try:
        _decode_any(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ProblemError(400, "not_json", "The JSON of the body has a field twice")
    return {}


def _decoded(raw: bytes) -> str:
    if b"%" in raw:
        if raw.count(b"%") != len(_ESCAPE.findall(raw)):
            raise ProblemError(400, "bad_request", "The address has a broken percent escape")
        raw = _unescaped(raw)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ProblemError(400, "bad_request", "The address is not UTF-8 behind its percent escapes") from None


def _unescaped(raw: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), raw)
