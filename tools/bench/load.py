"""One load on a server that runs already: for looking at a single case while working on the server.

    python -m tools.bench.load --port 8443 --pid PID --ca certs/ca.pem --members 100 --senders 1 --load w64

``wN`` is a closed loop with N messages in flight per sender, ``rN`` an open loop with N messages a second over all.
Prints one line of JSON; exits 1 when anything that arrived was not right.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from pathlib import Path

from securechat.wire.http import HTTP_ALPN
from tools.bench.cases import Result, Scene, closed, opened
from tools.bench.certs import client_context
from tools.bench.crowd import Shape
from tools.bench.process import GENERATOR_CORE, Server, pin


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True, help="of the server, on 127.0.0.1")
    parser.add_argument("--pid", type=int, required=True, help="of the server, for its CPU and memory")
    parser.add_argument("--ca", type=Path, required=True, help="the CA certificate; the server is localhost")
    parser.add_argument("--rooms", type=int, default=1)
    parser.add_argument("--members", type=int, default=100, help="of each room, senders included (default 100)")
    parser.add_argument("--senders", type=int, default=1, help="of each room (default 1)")
    parser.add_argument("--decoders", type=int, default=1, help="of each room; they check everything (default 1)")
    parser.add_argument("--web", type=int, default=0, help="of each room; they come by WebSocket (default 0)")
    parser.add_argument("--load", default="w64", help="wN or rN (default w64)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long to measure (default 3)")
    parser.add_argument("--by-acks", action="store_true", help="the window opens at the ack, not at the last copy")
    return parser.parse_args()


def raise_file_limit() -> None:
    """Thousands of sockets in one process; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run(options: argparse.Namespace) -> Result:
    shape = Shape(
        rooms=options.rooms,
        members=options.members,
        senders=options.senders,
        decoders=options.decoders,
        web=options.web,
    )
    server = Server(options.pid, options.port)
    web_context = client_context(options.ca, HTTP_ALPN)
    scene = Scene(server, client_context(options.ca), Path(), options.seconds, web_context=web_context)
    kind, amount = options.load[0], float(options.load[1:])
    if kind == "w":
        return closed(scene, shape=shape, window=int(amount), by_acks=options.by_acks)
    if kind == "r":
        return opened(scene, shape=shape, per_s=amount)
    raise SystemExit("--load is wN or rN")


def main() -> int:
    options = arguments()
    raise_file_limit()
    pin(GENERATOR_CORE)
    result = run(options)
    print(json.dumps({name: round(value, 4) if isinstance(value, float) else value for name, value in result.items()}))
    return 1 if result["complaints"] else 0


if __name__ == "__main__":
    sys.exit(main())
