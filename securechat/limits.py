"""Every default limit of the server, in one place, with unit, reason and source.

A limit is a field of :class:`Limits`. Operators change one with ``--limit NAME=VALUE`` or with the environment
variable ``SECURECHAT_LIMIT_NAME``; nothing else in the program knows a number of its own. Sources name the server
whose practice we compared with, or the measurement in ``docs/design/`` that set the value.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

KIB = 1024
MIB = 1024 * KIB

# Parts of the protocol, not of a deployment: both sides must agree on them, so nobody can change them.
MAX_FRAME_BYTES = 64 * KIB
"""Largest frame body after the hello, both directions (Prosody 256 KiB, Ergo multiline 4 KiB)."""
MAX_HELLO_FRAME_BYTES = 4 * KIB
"""Largest frame body before the hello is accepted (Prosody 10,000 B): a stranger costs at most this much memory."""
MAX_TEXT_CHARS = 4_000
"""Message text, Unicode code points (Zulip 10,000, Mumble 5,000)."""
MAX_TEXT_BYTES = 16 * KIB
"""Message text, UTF-8 bytes: 4,000 code points of four bytes each, rounded up."""
MAX_NAME_CHARS = 32
"""Nickname, code points (Ergo 32)."""
MAX_NAME_BYTES = 128
"""Nickname, UTF-8 bytes: 32 code points of four bytes."""
MAX_ROOM_CHARS = 64
"""Room name, code points, without the leading ``#`` (IRC servers: 50 to 64)."""
MAX_TOPIC_CHARS = 300
"""A room's topic, code points (IRC networks: 300 to 390)."""
MAX_SIGN_CHARS = 16
"""A reaction, code points: a family of four with skin tones is 11."""
MIN_PASSWORD_CHARS = 8
"""Code points (NIST SP 800-63B: at least 8)."""
MAX_PASSWORD_CHARS = 128
"""Code points (NIST SP 800-63B: allow at least 64): room for a sentence, and a bound on normalisation."""
MAX_UNREAD_COUNT = 999
"""The largest unread count."""
MAX_REACTIONS = 200
"""Reactions under one message, all signs and people together: some 2 KiB of its page, and never over 21."""
PAGE_ROWS = 200
"""Rows of a history, roster or rooms page (Ergo 1,000): with PAGE_BYTES it keeps each answer in one frame."""
PAGE_BYTES = 54 * KIB
"""Encoded rows of a page: the largest message takes 51.4 KiB, and what is around the rows FRAME_SPARE_BYTES at most."""
FRAME_SPARE_BYTES = 2 * KIB
"""What a frame has left beside a page's rows, at least: a room's name and topic, and every field around the rows."""
EXCERPT_CHARS = 100
"""Of a message's text in a list of conversations, code points: a line beside a name (Slack and Telegram show one)."""
MAX_MENTIONS = 20
"""Whom one message names; the rest is not counted."""
MESSAGE_FIELDS_BYTES = 300
"""Field names, numbers of up to 16 digits and punctuation of one message, all present: 274 bytes, rounded up."""
EDITOR_FIELDS_BYTES = 48
"""Field names, number and punctuation of one `edited_by` or `deleted_by`, without the name: 47 bytes at most."""
LISTED_ID_BYTES = 17
"""A sender_id in a list, with its comma."""
REACTION_FIELDS_BYTES = 24
"""A sign's field names, brackets and quotes."""
_REACTION_BYTES = REACTION_FIELDS_BYTES + 4 * MAX_SIGN_CHARS + LISTED_ID_BYTES
SECRET_BYTES = 16
"""A resume secret: 128 random bits, beyond guessing at any rate this server would answer."""
MAX_MESSAGE_FILES = 10
"""Files of one message (Mattermost 10, Slack 10)."""
MAX_FILE_NAME_BYTES = 255
"""A file's name, UTF-8 bytes: what ext4, APFS and NTFS take."""
MAX_FILE_NAME_CHARS = 128
"""A file's name, code points."""
MAX_FILE_TYPE_BYTES = 100
"""A file's media type: the longest that names of files end in has 73 (OOXML presentations)."""
FILE_FIELDS_BYTES = 150
"""Id, field names, numbers and punctuation of one file, without name and type: 144 bytes, rounded up.

The size has at most 16 digits; a width or height 8: a file has pixels only where the picture worker wrote them."""
_FILE_BYTES = FILE_FIELDS_BYTES + MAX_FILE_NAME_BYTES + MAX_FILE_NAME_CHARS + MAX_FILE_TYPE_BYTES
"""JSON escapes a quotation mark with one byte more (RFC 8259, section 7), and a name has no more of them than
characters."""
PREVIEW_SIDES = (320, 1_600)
"""The longer sides of the smaller copies of a picture, pixels: one for a page of messages, one for a whole screen."""
API_TOKEN_BYTES = 32
"""An API token: 256 random bits, because it may live for years."""


def _limit(default: float, unit: str, why: str) -> Any:
    """A field whose metadata carries what the reference table prints."""
    return field(default=default, metadata={"unit": unit, "why": why})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one server. All times are seconds, all sizes bytes, unless the unit says otherwise."""

    # Connections
    handshake_timeout_s: float = _limit(10.0, "s", "TLS handshake; asyncio and nginx 60 s, NATS 2 s")
    hello_timeout_s: float = _limit(30.0, "s", "accept to accepted hello; InspIRCd 20 s, Ergo 60 s")
    connections_per_address: int = _limit(16, "connections", "public IPv4 or IPv6 /64; Ergo 16, ngIRCd 10")
    connections_per_private_address: int = _limit(
        256, "connections", "private, ULA and link-local: a classroom behind one NAT"
    )
    failed_hellos_per_address: int = _limit(
        32, "connections", "connections per failed_hellos_window_s that never completed a hello; Ergo counts all"
    )
    failed_hellos_window_s: float = _limit(600.0, "s", "window of failed_hellos_per_address")
    half_open_handshakes: int = _limit(256, "connections", "handshakes under way in all: one pass of work at most")
    half_open_per_address: int = _limit(8, "connections", "per address, without a finished handshake; loopback exempt")
    silent_connections: int = _limit(
        8192,
        "connections",
        "without a handshake under way, 4 KiB each; then the oldest that has sent no TLS hello goes",
    )
    reserved_descriptors: int = _limit(64, "descriptors", "kept free below RLIMIT_NOFILE for the log and certificates")
    web_connections: int = _limit(
        2_048,
        "connections",
        "of browsers, before a WebSocket, six a page: 340 pages at once; then their oldest is closed",
    )
    web_connections_per_address: int = _limit(
        256, "connections", "of them, public address: thirty phones with the six that a browser opens are 180"
    )
    web_connections_per_private_address: int = _limit(
        1_024, "connections", "of them, private, ULA and link-local; web_connection_burst and _rate grow alike"
    )
    web_connection_burst: float = _limit(
        1_000.0,
        "connections",
        "of them, one after another, per public address: thirty phones, five pages each, are 900",
    )
    web_connection_rate: float = _limit(
        2.0, "connections/s", "of them after the burst: at 0.5 ms each a thousandth of the time, and 1,200 in 10 min"
    )
    websockets_per_address: int = _limit(
        64, "connections", "of people in a browser, public address: thirty phones, and as many laptops"
    )
    websockets_per_private_address: int = _limit(256, "connections", "the same, private, ULA and link-local")
    listen_backlog: int = _limit(4096, "connections", "ngIRCd's 10 lost 33 of 1,000 clients in a reconnect storm")
    accepts_per_pass: int = _limit(
        8,
        "connections",
        "8 accepts and 8 handshake steps of 0.3-0.8 ms hold a pass under 10 ms; 16 made members wait 80",
    )
    emfile_pause_min_s: float = _limit(0.1, "s", "listener pause when descriptors run out; NATS 10 ms")
    emfile_pause_max_s: float = _limit(1.0, "s", "the pause doubles up to this; NATS 1 s")

    # The web client
    web_headers_s: float = _limit(10.0, "s", "from the first byte of a request to the end of its headers; nginx 60 s")
    web_keep_alive_s: float = _limit(15.0, "s", "without a request; browsers connect ahead; Caddy 5 min, nginx 75 s")
    web_requests_per_connection: int = _limit(100, "requests", "then it is closed; a page has 30 files; nginx 1,000")
    web_request_burst: float = _limit(60.0, "requests", "per address, a private one 16 times that; a file counts 1/20")
    web_request_rate: float = _limit(20.0, "requests/s", "after the burst; requests wait up to 5 s, then are refused")

    # The API
    api_body_bytes: int = _limit(64 * KIB, "B", "of a request under /api/; one message takes 16 KiB, ntfy 4 KiB")
    api_body_s: float = _limit(10.0, "s", "from the head of a request to the end of its body; as web_headers_s")
    api_answer_s: float = _limit(30.0, "s", "from the body to the answer; a lock on the database may last that long")
    api_requests_in_flight: int = _limit(32, "requests", "of one token, not answered yet; then one more is refused")
    api_connections: int = _limit(1_000, "connections", "of programs, beside those of browsers and members")
    api_streams: int = _limit(8, "streams", "event streams of one token; a browser opens six connections to a host")
    api_alive_s: float = _limit(
        15.0, "s", "between two signs of life of an event stream (WHATWG HTML: every 15 s or so)"
    )
    api_idle_s: float = _limit(60.0, "s", "without a request, until a token's place in the hub is given up")
    api_failed_tokens: int = _limit(
        10, "requests", "with a token that is none, from one address, before each one costs a wait of 2 s"
    )

    # Bytes in and out
    read_bytes_per_pass: int = _limit(64 * KIB, "B", "per connection; Redis handles at most 64 KiB an event")
    write_bytes_per_pass: int = _limit(128 * KIB, "B", "per connection; so one fast reader cannot hold the loop")
    send_buffer_bytes: int = _limit(
        128 * KIB, "B", "SO_SNDBUF; the kernel otherwise holds about 4 MiB for a reader that stopped"
    )
    outbox_hard_bytes: int = _limit(1 * MIB, "B", "a reader this far behind is closed at once; InspIRCd 1 MiB")
    outbox_soft_bytes: int = _limit(256 * KIB, "B", "a reader this far behind for outbox_soft_s is closed")
    outbox_soft_s: float = _limit(10.0, "s", "Redis pub/sub 60 s at 8 MiB")
    outboxes_total_bytes: int = _limit(
        256 * MIB, "B", "all outboxes together, biggest evicted first: a quarter of a 1 GiB server"
    )
    lingering_close_s: float = _limit(2.0, "s", "reading on after the last word so it is heard; nginx 5 s")
    lingering_close_bytes: int = _limit(64 * KIB, "B", "and at most this much; nginx 30 s without a byte limit")
    idle_ping_s: float = _limit(60.0, "s", "silence before the server asks; Ergo 90 s, Mumble 30 s")
    ping_timeout_s: float = _limit(30.0, "s", "silence after that before the peer counts as dead; Ergo 60 s")
    tcp_user_timeout_s: float = _limit(30.0, "s", "unacknowledged bytes before the kernel gives up (RFC 5482)")
    drain_s: float = _limit(10.0, "s", "SIGTERM: time for flushing before what is left is cut")

    # Rates; over them reading pauses, nothing is refused
    message_burst: float = _limit(10.0, "messages", "per member; Ergo 5, Synapse 10")
    message_rate: float = _limit(5.0, "messages/s", "per member after the burst; Ergo 2/s, Synapse 0.2/s")
    address_factor: float = _limit(
        16.0, "x", "ceiling of all members behind one address, as a multiple of one member's rates"
    )
    request_burst: float = _limit(20.0, "requests", "join, leave, who, history and the like; Join counts once")
    request_rate: float = _limit(5.0, "requests/s", "after the burst")
    byte_burst: float = _limit(64 * KIB, "B", "per member; Prosody's c2s burst")
    byte_rate: float = _limit(10 * KIB, "B/s", "after the burst; Prosody 10 KiB/s")
    unacknowledged_drafts: int = _limit(64, "messages", "per connection, then reading pauses until acks are out")

    # The log
    append_queue: int = _limit(4096, "drafts", "then Overloaded, and that sender is not read")
    commit_messages: int = _limit(
        1024, "messages", "one transaction, about 8 ms of work; 256 cut ten windows of 64 into three commits"
    )
    wal_bytes: int = _limit(16 * MIB, "B", "checkpoint at this size even when busy")
    low_disk_bytes: int = _limit(64 * MIB, "B", "free space below which new messages are refused")
    stored_bytes_per_address_day: int = _limit(256 * MIB, "B", "stored per address and day, so no one fills the disk")

    # People and rooms
    name_reservation_s: float = _limit(120.0, "s", "a lost name waits this long for its owner, restarts included")
    quiet_return_s: float = _limit(30.0, "s", "a return within this is announced to nobody")
    presence_interval_s: float = _limit(0.2, "s", "comings and goings are gathered per room for this long")
    presence_names: int = _limit(200, "members", "in larger rooms only counts are told")
    rooms_per_member: int = _limit(100, "rooms", "Ergo 100 channels per client")
    rooms_total: int = _limit(10_000, "rooms", "with a record; and occupied at once; about 1 KiB of memory each")
    rooms_made_per_account_day: int = _limit(100, "rooms", "as many as it may belong to; Ergo: 15 owned at once")
    rooms_made_per_address_day: int = _limit(
        300, "rooms", "by all accounts of one address, so that a month passes before rooms_total; loopback exempt"
    )
    rooms_opened_per_address: int = _limit(
        500, "rooms", "without a record, opened from one address and still occupied: guests' rooms; loopback exempt"
    )
    bans_per_room: int = _limit(1_000, "bans", "lasting, from one room; IRC servers 50 to 100")
    invitations_per_room: int = _limit(1_000, "invitations", "to one room, not taken up yet")
    empty_room_days: float = _limit(
        90.0, "days", "a room that nobody belongs to, without a message, ends with its rules; as invitations do"
    )
    room_invitation_days: float = _limit(90.0, "days", "an invitation to a room that is not taken up ends")

    # Accounts
    hash_queue: int = _limit(32, "passwords", "waiting for the hashing thread, 1 s of work; then busy")
    failed_logins_free: int = _limit(5, "tries", "wrong passwords per account and network before each one costs a wait")
    failed_logins_window_s: float = _limit(
        1800.0, "s", "without a wrong password until they are forgotten; Zulip 30 min"
    )
    login_delay_max_s: float = _limit(30.0, "s", "the wait doubles from 1 s up to this: slow, never locked out")
    login_tries_per_connection: int = _limit(3, "tries/min", "passwords tried on one connection")
    accounts_per_address_day: int = _limit(
        100, "accounts", "registered without an invite from one address; loopback exempt: a school's class or three"
    )
    session_days: float = _limit(30.0, "days", "an unused login expires; each use begins them anew")
    sessions_per_account: int = _limit(50, "logins", "then the one unused for longest is ended")
    certificates_per_account: int = _limit(20, "certificates", "client certificates of one account")
    guest_days: float = _limit(
        30.0, "days", "a guest unseen for so long, who wrote nothing, is forgotten; so is an account's unused device"
    )
    open_invites: int = _limit(1_000, "invites", "that still let somebody in; one more is refused")
    bots_per_account: int = _limit(
        20, "bots", "bots and webhooks that one account has made; Slack: 10 apps a free team"
    )
    bots_total: int = _limit(1_000, "bots", "bots and webhooks of the server, about 1 KiB of memory each")
    bots_made_per_account_day: int = _limit(100, "bots", "made by one account, removed ones included")
    hooks_per_room: int = _limit(20, "webhooks", "of one room, incoming and outgoing together")
    outgoing_hooks_total: int = _limit(100, "webhooks", "outgoing, of the server; each has one delivery at a time")
    tokens_per_account: int = _limit(20, "tokens", "API tokens of one person, or of one bot while they are rotated")
    token_overlap_s: float = _limit(86_400.0, "s", "a token that was rotated is good for so long beside the new one")
    bot_message_burst: float = _limit(40.0, "messages", "by an API token, instead of a member's message_burst")
    bot_message_rate: float = _limit(20.0, "messages/s", "by an API token after the burst; Slack and Discord 1 to 5/s")
    audit_days: float = _limit(730.0, "days", "entries of the audit are kept for so long")
    audit_own_entries: int = _limit(
        20_000, "entries", "of the audit that accounts wrote about themselves (new names, passwords): the latest"
    )

    # Files
    file_bytes: int = _limit(25 * MIB, "B", "of one file; Slack 1 GB, Mattermost 100 MB, Gmail 25 MB")
    files_per_person_bytes: int = _limit(250 * MIB, "B", "all files of one account; Zulip has 5 GB for all together")
    files_per_bot_bytes: int = _limit(1024 * MIB, "B", "all files of one bot: nightly logs of a year")
    files_per_guest_bytes: int = _limit(25 * MIB, "B", "all files of one guest")
    guest_files_per_address_bytes: int = _limit(
        250 * MIB, "B", "all files of the guests of one address since the start: of ten guests; loopback exempt"
    )
    guest_file_hours: float = _limit(24.0, "h", "a guest's file is deleted after this")
    files_free_bytes: int = _limit(
        1024 * MIB, "B", "free space below which files are refused, long before low_disk_bytes stops messages"
    )
    files_disk_share: float = _limit(0.5, "share", "of the disk that all files together may take")
    upload_hours: float = _limit(24.0, "h", "an upload that is not sent in a message is given up")
    upload_first_byte_s: float = _limit(
        300.0, "s", "an upload without a byte is given up: its address may be lost, and it counts with its whole size"
    )
    upload_stall_s: float = _limit(30.0, "s", "without a byte of an upload, or without one taken of a download")
    uploads_per_person: int = _limit(20, "uploads", "not sent in a message yet: two messages with all their files")
    uploads_total: int = _limit(1_000, "uploads", "of all members, not sent in a message yet")
    uploads_per_address: int = _limit(
        250, "uploads", "begun from one address, not sent in a message yet: a quarter of all; loopback exempt"
    )
    upload_buffer_bytes: int = _limit(256 * KIB, "B", "of one upload, waiting for the disk; then it is not read")
    upload_buffers_bytes: int = _limit(2 * MIB, "B", "of all uploads, waiting for the disk; then none is read")
    transfer_turn_bytes: int = _limit(16 * KIB, "B", "of a download in a turn, of an upload at least; 64 KiB: p99 7 ms")
    transfers_per_pass_bytes: int = _limit(256 * KIB, "B", "of all uploads and downloads in one pass of the loop")
    picture_pixels: int = _limit(50_000_000, "pixels", "of a picture, judged by its header; 0.9 s, 415 MiB of memory")
    picture_queue: int = _limit(32, "pictures", "waiting to be written anew; then busy")

    # Conversation
    typing_interval_s: float = _limit(3.0, "s", "a typing notice of one member in one place is passed on this often")
    search_queue: int = _limit(64, "searches", "waiting for the searching thread; then busy")
    retention_batch: int = _limit(500, "messages", "deleted by retention in one transaction, some 15 ms")

    def __post_init__(self) -> None:
        """Refuse values that make no sense together.

        Raises:
            ValueError: a limit is not positive, or the soft outbox limit is not below the hard one.
        """
        for item in fields(self):
            if not getattr(self, item.name) > 0:
                raise ValueError(f"{item.name} must be greater than zero")
        if self.presence_names > PAGE_ROWS:
            raise ValueError(f"presence_names must be at most {PAGE_ROWS}, or a greeting would not fit into a frame")
        if self.outbox_soft_bytes >= self.outbox_hard_bytes:
            raise ValueError("outbox_soft_bytes must be smaller than outbox_hard_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLimits:
    """The largest frame a client accepts, and what must be bounded for every answer to fit into one.

    They belong to the protocol, so a server has the defaults and an operator cannot change them. Tests and simulations
    run with small ones, because the edges of the real ones are far away: ``PageLimits.of_frames(4 * KIB)``.

    Attributes:
        frame_bytes: the largest body of a frame to a client.
        page_rows: rows of a page.
        page_bytes: encoded rows of a page; what is left of the frame is for the fields around them.
        text_chars: code points of a message's text.
        reactions: reactions under one message.
        files: files of one message; in small frames there may be none.
    """

    frame_bytes: int = MAX_FRAME_BYTES
    page_rows: int = PAGE_ROWS
    page_bytes: int = PAGE_BYTES
    text_chars: int = MAX_TEXT_CHARS
    reactions: int = MAX_REACTIONS
    files: int = MAX_MESSAGE_FILES

    def __post_init__(self) -> None:
        """Refuse limits with which an answer would not fit.

        Raises:
            ValueError: one is out of range; the largest message does not fit into a page, or a page into a frame.
        """
        if not 1 <= self.page_rows <= PAGE_ROWS:
            raise ValueError(f"page_rows must be from 1 to {PAGE_ROWS}")
        if not (1 <= self.text_chars <= MAX_TEXT_CHARS and 1 <= self.reactions <= MAX_REACTIONS):
            raise ValueError("text_chars and reactions must be at least 1 and at most what the protocol allows")
        if not 0 <= self.files <= MAX_MESSAGE_FILES:
            raise ValueError(f"files of a message must be from 0 to {MAX_MESSAGE_FILES}")
        if self.frame_bytes > MAX_FRAME_BYTES:
            raise ValueError(f"frame_bytes must be at most {MAX_FRAME_BYTES}")
        if self.largest_message_bytes > self.page_bytes:
            raise ValueError(f"a message of {self.largest_message_bytes} bytes must fit into a page")
        if self.page_bytes + FRAME_SPARE_BYTES > self.frame_bytes:
            raise ValueError(f"frame_bytes must leave {FRAME_SPARE_BYTES} bytes beside a page")

    @property
    def largest_message_bytes(self) -> int:
        """The most that one message takes in JSON, every part of it at its limit.

        A text may hold control characters, of six bytes each (RFC 8259, section 7); a name, a room or a sign may not.
        It has one of `edited_by` and `deleted_by`: a deleted message has no text.
        """
        return (
            MESSAGE_FIELDS_BYTES
            + 2 * MAX_NAME_BYTES
            + EDITOR_FIELDS_BYTES
            + MAX_NAME_BYTES
            + 4 * MAX_ROOM_CHARS
            + 6 * self.text_chars
            + MAX_MENTIONS * LISTED_ID_BYTES
            + self.reactions * _REACTION_BYTES
            + self.files * _FILE_BYTES
        )

    @classmethod
    def of_frames(cls, frame_bytes: int, page_rows: int = PAGE_ROWS) -> PageLimits:
        """Return limits for frames of another size, everything else as large as fits.

        Args:
            frame_bytes: at least 4 KiB.
            page_rows: rows of a page.

        Raises:
            ValueError: frame_bytes is too small.
        """
        page_bytes = min(PAGE_BYTES, frame_bytes - FRAME_SPARE_BYTES)
        files_bytes = MAX_MESSAGE_FILES * _FILE_BYTES
        other_bytes = 6 * MAX_TEXT_CHARS + MAX_REACTIONS * _REACTION_BYTES
        room_bytes = page_bytes - (PAGE_LIMITS.largest_message_bytes - files_bytes - other_bytes)
        files = int(MAX_MESSAGE_FILES * min(1.0, max(0.0, room_bytes / (files_bytes + other_bytes))))
        share = min(1.0, (room_bytes - files * _FILE_BYTES) / other_bytes)
        return cls(
            frame_bytes=frame_bytes,
            page_rows=page_rows,
            page_bytes=page_bytes,
            text_chars=int(MAX_TEXT_CHARS * share),
            reactions=int(MAX_REACTIONS * share),
            files=files,
        )


PAGE_LIMITS = PageLimits()
"""Those of the protocol: what every server has."""
