"""A process of several clients in one room: says, listens to everything, and prints the order each client saw.

Usage: crowd.py PORT CA PREFIX CLIENTS MESSAGES EXPECTED PEOPLE
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from securechat.model import Joined, Presence
from tests.support.native import NativeClient


def main() -> None:
    port, ca, prefix = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    count, messages, expected, people = map(int, sys.argv[4:8])
    clients = [NativeClient(port, ca) for _ in range(count)]
    for number, client in enumerate(clients):
        client.hello(f"{prefix}n{number}")
    for client in clients:  # nobody speaks before everybody is there
        client.wait_for(Joined | Presence, lambda event: event.total == people, 60)  # type: ignore[arg-type,attr-defined]
    for client in clients:
        for number in range(messages):
            client.say(f"{client.secret[:8]} {number}")
    orders = []
    for client in clients:
        while len(client.messages()) < expected:
            if not client.pump(60):
                raise AssertionError(f"{len(client.messages())} of {expected}; closed={client.closed}")
        orders.append([message.seq for message in client.messages()])
        client.close()
    print(json.dumps(orders))


main()
