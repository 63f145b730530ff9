"""The yardstick: a broadcast server as one would write it straightforwardly with asyncio streams and ``ssl``.

It speaks the frames and records of ``securechat/1`` (Hello, Join, Say, Ping) and leaves out all that makes a server
dependable: no storage, no limits, no presence, no rates. A message is encoded once and written to each member in turn,
which is already kinder than most code of this kind. Only a reader that stopped is cut off, so that memory is bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import resource
import ssl
import time
from pathlib import Path

import msgspec

from securechat.errors import ErrorCode
from securechat.model import (
    ALPN,
    Acked,
    Command,
    Event,
    Hello,
    Join,
    Joined,
    Message,
    Ping,
    Pong,
    Refused,
    Say,
    Welcome,
)
from securechat.wire.frames import HEADER_BYTES, frame

MAX_FRAME_BYTES = 65_536
MAX_BACKLOG_BYTES = 1 << 20
"""How far a slow reader may lag before it is cut off; the same as the server's outbox_hard_bytes."""
LISTEN_BACKLOG = 4_096
LOBBY = "lobby"

_encoder = msgspec.json.Encoder()
_commands = msgspec.json.Decoder(Command)


class Client:
    """One connection and who speaks on it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.sender_id = 0
        self.name = ""
        self.rooms: set[str] = set()

    def tell(self, event: Event) -> None:
        self.write(frame(_encoder.encode(event)))

    def write(self, data: bytes) -> None:
        self.writer.write(data)
        if self.writer.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self.writer.transport.abort()


class Baseline:
    """The whole server."""

    def __init__(self) -> None:
        self._rooms: dict[str, set[Client]] = {}
        self._last: dict[str, int] = {}
        self._ids = itertools.count(1)
        self._seqs = itertools.count(1)

    async def serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(writer)
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(HEADER_BYTES), "big")
                if not 0 < size <= MAX_FRAME_BYTES:
                    break
                self._handle(client, _commands.decode(await reader.readexactly(size)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, msgspec.DecodeError):
            pass
        finally:
            for room in client.rooms:
                self._rooms[room].discard(client)
            writer.close()

    def _handle(self, client: Client, command: Command) -> None:
        match command:
            case Say():
                self._say(client, command)
            case Hello():
                client.sender_id, client.name = next(self._ids), command.name
                client.tell(Welcome(1, "baseline", client.sender_id, client.name, 0))
                self._enter(client, LOBBY, 0)
            case Join():
                for room in command.rooms:
                    self._enter(client, room, command.ref)
            case Ping():
                client.tell(Pong(command.n))
            case _:
                pass

    def _enter(self, client: Client, room: str, ref: int) -> None:
        members = self._rooms.setdefault(room, set())
        members.add(client)
        client.rooms.add(room)
        client.tell(Joined(room, self._last.get(room, 0), len(members), ref=ref))

    def _say(self, client: Client, command: Say) -> None:
        room = command.room
        if room not in client.rooms:
            client.tell(Refused(ErrorCode.NOT_A_MEMBER, "join it first", client_id=command.client_id))
            return
        seq, prev = next(self._seqs), self._last.get(room, 0)
        self._last[room] = seq
        client.tell(Acked(command.client_id, seq))
        message = Message(seq, prev, client.sender_id, client.name, time.time_ns() // 1_000_000, command.text, room)
        data = frame(_encoder.encode(message))
        for member in self._rooms[room]:
            member.write(data)


def raise_file_limit() -> None:
    """Allow as many descriptors as the hard limit has."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(cert: Path, port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([ALPN])
    context.load_cert_chain(cert)
    server = await asyncio.start_server(Baseline().serve_client, "127.0.0.1", port, ssl=context, backlog=LISTEN_BACKLOG)
    async with server:
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cert", type=Path, required=True, help="certificate, chain and key, PEM")
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    raise_file_limit()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.cert, arguments.port))


if __name__ == "__main__":
    main()
