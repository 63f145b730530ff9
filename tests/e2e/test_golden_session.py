"""A recorded conversation, byte for byte what clients of version 1 send: every later server must still serve it.

What the clients send is replayed as it is. What the server answers is compared as records, because clocks, its version
and its sentences may differ, and fields may be added; presence is left out, because its moment is not promised.
"""

from __future__ import annotations

import json
from typing import Any

from securechat.text.refusals import sentence
from tests.support.golden import GOLDEN
from tests.support.raw_link import RawLink
from tests.support.server import ServerProcess

NOT_IN_ORDER = frozenset({"presence", "ping"})
VARIES = {"at": int, "server": str}


def alike(recorded: Any, got: Any) -> bool:
    """Tell whether an answer says all that was recorded; more fields are allowed."""
    if isinstance(recorded, dict):
        sentence = {"text"} if recorded.get("t") in {"refused", "closing"} else set()
        return isinstance(got, dict) and all(
            isinstance(got.get(key), VARIES.get(key, str))
            if key in VARIES or key in sentence
            else alike(each, got.get(key))
            for key, each in recorded.items()
        )
    if isinstance(recorded, list):
        return isinstance(got, list) and len(got) == len(recorded) and all(map(alike, recorded, got))
    return type(recorded) is type(got) and bool(recorded == got)


def still_in(record: Any) -> bool:
    """Tell of a ``joined`` that answers nothing.

    Since there are accounts, a hello may be followed by one for every room one is in still. Clients of the foundation
    take it for the answer to a join.
    """
    return record is not None and record["t"] == "joined" and not record.get("ref") and record["room"] != "lobby"


def says_its_reason(record: Any) -> bool:
    """Tell whether the text that these clients show is the sentence of the reason, which they do not read."""
    reason = (record or {}).get("reason")
    return not reason or record["text"] == sentence(reason, record.get("args", {}))


def test_a_recorded_session_is_served(server: ServerProcess) -> None:
    steps = [json.loads(line) for line in (GOLDEN / "session_v1.jsonl").read_text(encoding="utf-8").splitlines()]
    links: dict[str, RawLink] = {}
    for number, step in enumerate(steps, 1):
        who = step["who"]
        match step["does"]:
            case "connects":
                links[who] = RawLink(server.host, server.port, server.ca)
            case "breaks off":
                links.pop(who).close()
            case "sends":
                links[who].send(bytes.fromhex(step["frame"]))
            case "gets":
                recorded = json.loads(bytes.fromhex(step["frame"])[4:])
                got = links[who].next_record(skip=NOT_IN_ORDER)
                while still_in(got) and not alike(recorded, got):
                    got = links[who].next_record(skip=NOT_IN_ORDER)
                assert alike(recorded, got), f"line {number}: recorded {recorded}, got {got}"
                assert says_its_reason(got), f"line {number}: {got}"
            case _:
                link = links.pop(who)
                assert link.next_record(skip=NOT_IN_ORDER) is None, f"line {number}: the end"
                link.close()
    assert not links


def test_the_comparison_can_fail() -> None:
    recorded = {"t": "acked", "cid": 1, "seq": 2, "l": [{"at": 3}]}
    assert alike(recorded, {"t": "acked", "cid": 1, "seq": 2, "l": [{"at": 4}], "new": 1})
    assert not alike(recorded, {"t": "acked", "cid": 1, "seq": 3, "l": [{"at": 4}]})
    assert not alike(recorded, {"t": "acked", "cid": 1, "seq": 2, "l": []})
    assert not alike(recorded, {"t": "acked", "cid": 1, "seq": 2, "l": [{}]})
    assert not alike(recorded, {"t": "acked", "cid": True, "seq": 2, "l": [{"at": 4}]})
    assert not alike(recorded, None)
