"""A proxy as docs/web.md describes one: it ends TLS with a certificate of its own, speaks TLS to the server and passes
on what is said, Host and Origin as they are.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from tests.support.server import PATIENCE_S, ServerProcess


class TlsRelay:
    """One proxy on a free port of 127.0.0.1, from its making to `close`.

    Args:
        pem: its certificate and key.
        server: where to; its certificate is verified.
    """

    def __init__(self, pem: Path, server: ServerProcess) -> None:
        self._server = server
        self._inward = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._inward.load_cert_chain(pem)
        self._outward = ssl.create_default_context(cafile=str(server.ca))
        for context in (self._inward, self._outward):
            context.set_alpn_protocols(["http/1.1"])
        # A ticket reaches a client in the middle of its first request. websockets reads on one thread and writes on
        # another, and before Python 3.13 no lock keeps the two apart: once in 900 connections the request was lost.
        self._inward.num_tickets = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)
        self._thread.start()
        assert self._listens.wait(PATIENCE_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        listener = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._inward)
        self.port = listener.sockets[0].getsockname()[1]
        self._listens.set()
        await self._over.wait()
        listener.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass a connection on in a task of its own, unless its handshake ends when everything does: the loop would
        be closed under that task.
        """
        if self._over.is_set():
            writer.transport.abort()
        else:
            task = self._loop.create_task(self._pass_on(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            with suppress(OSError):
                answers, requests = await asyncio.open_connection(
                    self._server.host, self._server.port, ssl=self._outward, server_hostname="localhost"
                )
                ends.append(requests)
                await asyncio.gather(_copy(reader, requests), _copy(answers, writer))
        finally:
            for end in ends:
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
