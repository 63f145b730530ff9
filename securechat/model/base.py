"""The field types of all records, and the two base classes of records."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from securechat.limits import MAX_TEXT_CHARS

PROTOCOL_VERSION = 1
ALPN = "securechat/1"

Id: TypeAlias = Annotated[int, Meta(ge=0, lt=2**53)]
"""A seq, sender_id or ref; in events a client_id."""
DraftId: TypeAlias = Annotated[int, Meta(ge=1, lt=2**53)]
"""A client_id in a command: `Welcome.last_client_id` is 0 before the first draft, so drafts begin at 1."""
MessageKey: TypeAlias = Annotated[str, Meta(pattern=r"^[!-~]+\Z", max_length=128)]
"""What a program calls a message that it may send again: visible ASCII, such as an event's number or a UUID."""
Raw: TypeAlias = Annotated[str, Meta(max_length=256)]
"""A name or room as typed; names.py validates it."""
Text: TypeAlias = Annotated[str, Meta(max_length=4 * MAX_TEXT_CHARS)]
"""A message text as typed; the hub checks its exact length, so that a text slightly too long is refused, not a protocol
error."""
Seconds: TypeAlias = Annotated[float, Meta(ge=0)]
Password: TypeAlias = Annotated[str, Meta(max_length=512)]
"""A password as typed; passwords.py validates it."""
Token: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{32}$", max_length=32)]
"""A login or invite token: 128 random bits as lower-case hex digits."""
LoginToken: TypeAlias = Annotated[str, Meta(pattern=r"^([0-9a-f]{32}|scb_[0-9A-Za-z]{1,60})\Z", max_length=64)]
"""The token of a login, or an API token as typed; `securechat.text.api_tokens` tells whether it can be one."""
Fingerprint: TypeAlias = Annotated[str, Meta(pattern="^sha256:[0-9a-f]{64}$", max_length=71)]
"""SHA-256 of a certificate's SubjectPublicKeyInfo."""
Encoded: TypeAlias = Annotated[str, Meta(pattern="^[A-Za-z0-9+/]*=*$", max_length=1024)]
"""A public key or a signature in base64 (RFC 4648, section 4); 4,096 bits of RSA take 736 characters."""


class Record(Struct, frozen=True, omit_defaults=True, gc=False, tag_field="t"):
    """A record that crosses a boundary: immutable, its type in the field ``t``, defaults left out on the wire."""


class Secretive(Record, frozen=True):
    """A record that carries a secret: its repr shows only its type, so that no error or log can show more."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class Person(Struct, frozen=True, gc=False, omit_defaults=True):
    """A sender's id and name, as others see them, and whether it is a bot or an incoming webhook."""

    id: Id
    name: str
    bot: bool = False


class Renaming(Struct, frozen=True, gc=False):
    """A sender's change of name."""

    id: Id
    old: str
    new: str
