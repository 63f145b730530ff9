"""Times many password logins at once, and what a member feels of them.

    python -m tools.bench.logins [--count 200] [--accounts 20]

The connections are made first; then all say hello with a password in one moment, and those that hear ``busy`` say it
again when they were told to. Meanwhile a probe in a process of its own pings the server without a pause, before and
during: what a ping takes longer is what the loop stood still, or the machine was busy with others.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import secrets
import selectors
import socket
import ssl
import statistics
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

from securechat.model import Hello, Ping, Pong, Refused, Register, Registered, Welcome
from securechat.wire.native import NativeClientCodec
from tools.bench.certs import client_context, make_certificates
from tools.bench.process import GENERATOR_CORE, pin, running

PASSWORD = "benchmark password"


class Client:
    """One connection that reads without blocking once it is in `selecting`."""

    def __init__(self, context: ssl.SSLContext, address: tuple[str, int]) -> None:
        raw = socket.create_connection(address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(raw, server_hostname=address[0])
        self.codec = NativeClientCodec()

    def send(self, command: object) -> None:
        self.sock.sendall(self.codec.encode(command))  # type: ignore[arg-type]

    def read(self) -> list[object]:
        self.codec.receive_data(self.sock.recv(65536))
        events: list[object] = []
        while (event := self.codec.next_event()) is not None:
            events.append(event)
        return events

    def wait_for(self, *kinds: type) -> object:
        while True:
            for event in self.read():
                if isinstance(event, kinds):
                    return event

    def hello(self, name: str, password: str | None = None) -> None:
        self.send(Hello(version=1, name=name, secret=secrets.token_hex(16), password=password))


def probe(
    ca: Path, address: tuple[str, int], during: Event, over: Event, answers: multiprocessing.SimpleQueue[list[float]]
) -> None:
    """Ping without a pause; tells the milliseconds of each ping before and during."""
    client = Client(client_context(ca), address)
    client.hello("probe")
    client.wait_for(Welcome)
    before, meanwhile = [], []
    while not over.is_set():
        begun = time.perf_counter()
        client.send(Ping(1))
        client.wait_for(Pong)
        (meanwhile if during.is_set() else before).append((time.perf_counter() - begun) * 1000)
    answers.put(before)
    answers.put(meanwhile)


def everybody_in(clients: list[Client], names: list[str]) -> tuple[float, int]:
    """Log all of them in at once; returns the seconds it took and how often ``busy`` was heard."""
    ready = selectors.DefaultSelector()
    begun = time.monotonic()
    again: list[tuple[float, Client, str]] = []
    busy = 0
    for client, name in zip(clients, names, strict=True):
        ready.register(client.sock, selectors.EVENT_READ, (client, name))
        client.hello(name, PASSWORD)
    waiting = len(clients)
    while waiting:
        for key, _ in ready.select(0.01):
            client, name = key.data
            for event in client.read():
                if isinstance(event, Welcome):
                    waiting -= 1
                    ready.unregister(client.sock)
                elif isinstance(event, Refused):
                    busy += 1
                    again.append((time.monotonic() + (event.retry_after_s or 1.0), client, name))
        now = time.monotonic()
        for entry in [entry for entry in again if entry[0] <= now]:
            again.remove(entry)
            entry[1].hello(entry[2], PASSWORD)
    return time.monotonic() - begun, busy


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=200, help="logins at once (default 200)")
    parser.add_argument("--accounts", type=int, default=20, help="accounts they belong to (default 20)")
    options = parser.parse_args()
    pin(GENERATOR_CORE)
    os.environ |= {"SECURECHAT_LIMIT_REQUEST_RATE": "1000000", "SECURECHAT_LIMIT_REQUEST_BURST": "1000000"}
    with tempfile.TemporaryDirectory() as scratch:
        certs, data = Path(scratch) / "certs", Path(scratch) / "data"
        certs.mkdir()
        data.mkdir()
        make_certificates(certs)
        with running("securechat", certs, data) as server:
            context = client_context(certs / "ca.pem")
            for number in range(options.accounts):
                client = Client(context, server.address)
                client.hello(f"user{number}")
                client.wait_for(Welcome)
                client.send(Register(1, PASSWORD))
                client.wait_for(Registered)
                client.sock.close()
            clients = [Client(context, server.address) for _ in range(options.count)]
            during, over = multiprocessing.Event(), multiprocessing.Event()
            answers: multiprocessing.SimpleQueue[list[float]] = multiprocessing.SimpleQueue()
            watcher = multiprocessing.Process(
                target=probe, args=(certs / "ca.pem", server.address, during, over, answers), daemon=True
            )
            watcher.start()
            time.sleep(2.0)
            cpu_s = server.cpu_s()
            during.set()
            took_s, busy = everybody_in(clients, [f"user{n % options.accounts}" for n in range(options.count)])
            over.set()
            cpu_s = server.cpu_s() - cpu_s
            for what, times in (("before", answers.get()), ("during", answers.get())):
                p50, p99 = statistics.median(times), percentile(times, 0.99)
                print(
                    f"pings {what}: {len(times):6d}  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  worst {max(times):6.2f} ms"
                )
            print(f"{options.count} logins in {took_s:.2f} s, {busy} times busy, server CPU {cpu_s:.2f} s")


if __name__ == "__main__":
    main()
