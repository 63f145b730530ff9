"""A network that dies: passes bytes on between clients and a server, or none, and resets every connection when told."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from tests.support.server import PATIENCE_S

_PIECE_BYTES = 16 * 1024


class CuttingRelay:
    """Listens on a free port of 127.0.0.1, from its making to `close`.

    Args:
        target: port of the server.

    Attributes:
        port: where it listens.
        cuts: how often it has cut.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cuts = 0
        self._target = target
        self._left: int | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        assert self._listens.wait(PATIENCE_S)

    def cut_after(self, count: int) -> None:
        """Reset every connection when so many further bytes have gone to the server."""
        self._loop.call_soon_threadsafe(setattr, self, "_left", count)

    def hold(self, *, to_server: bool = True) -> None:
        """Pass no byte on, in both directions or to the clients alone; every connection stays."""
        self._loop.call_soon_threadsafe(self._to_clients.clear)
        if to_server:
            self._loop.call_soon_threadsafe(self._to_server.clear)

    def cut(self) -> None:
        """Reset every connection; what was held is lost."""

        def cut() -> None:
            self.cuts += 1
            self._reset()

        self._loop.call_soon_threadsafe(cut)

    def flow(self) -> None:
        """Pass bytes on again."""
        self._loop.call_soon_threadsafe(self._to_clients.set)
        self._loop.call_soon_threadsafe(self._to_server.set)

    def close(self) -> None:
        """End every connection, and listen no more."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        self._to_server, self._to_clients = asyncio.Event(), asyncio.Event()
        self._to_server.set()
        self._to_clients.set()
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._listens.set()
        await self._over.wait()
        listener.close()
        self._reset()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = {writer}
        try:
            there, away = await asyncio.open_connection("127.0.0.1", self._target)
            mine.add(away)
            self._writers |= mine
            await asyncio.gather(self._pass(reader, away, counts=True), self._pass(there, writer, counts=False))
        except OSError:
            pass  # the server is not there
        finally:
            self._writers -= mine
            for each in mine:
                each.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        with suppress(OSError):
            while data := await reader.read(_PIECE_BYTES):
                if counts and self._left is not None:
                    data, self._left = data[: self._left], self._left - len(data)
                await (self._to_server if counts else self._to_clients).wait()
                writer.write(data)
                await writer.drain()
                if counts and self._left is not None and self._left <= 0:
                    self._left = None
                    self.cuts += 1
                    self._reset()
            writer.close()

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
