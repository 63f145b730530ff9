"""A hub between a page and its server that knows bots and tokens: it answers the commands about them by itself.

What the page says and hears otherwise goes through as it is, but a person whom the test names is a bot to the page. So
the page is tried with answers that a real hub gives rarely: a stopped bot, a token that was replaced, many pages.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from securechat.limits import API_TOKEN_BYTES
from securechat.text.api_tokens import api_token

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, WebSocketRoute

Record = dict[str, Any]
PAGE = 2
"""Entries in one answer: few, so that there are several."""


class PlayedHub:
    """Stands between the pages of a browser profile and their server.

    Args:
        context: the profile, before it opens a page of the server.
        bots: names of those who are programs.

    Attributes:
        asked: the commands that it answered, in order.
        secrets: the tokens that it made.
        bots: what the user has made, by sender_id.
        tokens: the user's own, by number.
        refusal: if set, what is said to the next command that makes something.
    """

    def __init__(self, context: BrowserContext, *bots: str) -> None:
        self.asked: list[Record] = []
        self.secrets: list[str] = []
        self.bots: dict[int, Record] = {}
        self.tokens: dict[int, Record] = {}
        self.refusal: Record | None = None
        self._names = bots
        self._last = 100
        context.route_web_socket(lambda _url: True, self._open)

    def _open(self, page: WebSocketRoute) -> None:
        server = page.connect_to_server()

        def said(text: str | bytes) -> None:
            answer = self._answer(json.loads(text))
            if answer is None:
                server.send(text)
            else:
                page.send(json.dumps(answer))

        def told(text: str | bytes) -> None:
            page.send(json.dumps(self._marked(json.loads(text))))

        page.on_message(said)
        server.on_message(told)

    def _marked(self, value: Any) -> Any:
        """Put the mark on each message and person with the name of a bot."""
        if isinstance(value, list):
            return [self._marked(each) for each in value]
        if not isinstance(value, dict):
            return value
        marked = {name: self._marked(each) for name, each in value.items()}
        if marked.get("name") in self._names and ("id" in marked or marked.get("t") == "msg"):
            marked["bot"] = True
        return marked

    def _answer(self, command: Record) -> Record | None:
        """Return the answer to a command about programs; None for any other."""
        ref, number = command.get("ref"), self._last + 1
        match command["t"]:
            case "bots":
                answer = _page("bots", self.bots, command)
            case "tokens":
                answer = _page("tokens", self.tokens, command)
            case "botadd" | "tokenadd" if self.refusal is not None:
                answer, self.refusal = {"t": "refused", **self.refusal}, None
            case "botadd":
                kind = command.get("kind", "bot")
                info = self._made(command, ["hook"] if kind == "hook" else command.get("scopes", ["post", "read"]))
                bot = {"id": number, "name": command["name"], "kind": kind, "tokens": [info]}
                self.bots[number] = bot
                answer = self._secret(info, bot)
            case "tokenadd":
                info = self._made(command, command.get("scopes", ["post"]))
                self.tokens[info["token"]] = info
                answer = self._secret(info)
            case "tokenrotate":
                answer = self._rotated(command["token"])
            case "botremove":
                del self.bots[command["bot"]]
                answer = {"t": "done"}
            case "tokenremove":
                self._removed(command["token"])
                answer = {"t": "done"}
            case _:
                return None
        self.asked.append(command)
        return {**answer, "ref": ref}

    def _made(self, command: Record, scopes: list[str]) -> Record:
        self._last += 1
        now = time.time_ns() // 1_000_000
        days = command.get("days")
        expires = {} if days is None else {"expires": now + days * 86_400_000}
        rooms = {"rooms": command["rooms"]} if command.get("rooms") else {}
        return {"token": self._last, "name": command["name"], "scopes": scopes, "since": now, **rooms, **expires}

    def _secret(self, info: Record, bot: Record | None = None) -> Record:
        self.secrets.append(api_token(os.urandom(API_TOKEN_BYTES)))
        whose = {} if bot is None else {"bot": {"id": bot["id"], "name": bot["name"], "bot": True}}
        return {"t": "tokenmade", "token": self.secrets[-1], "info": info, **whose}

    def _rotated(self, token: int) -> Record:
        if token in self.tokens:
            fresh = self._made(self.tokens[token], self.tokens[token]["scopes"])
            self.tokens[fresh["token"]] = fresh
            return self._secret(fresh)
        bot = next(each for each in self.bots.values() if any(info["token"] == token for info in each["tokens"]))
        fresh = self._made(bot["tokens"][-1], bot["tokens"][-1]["scopes"])
        bot["tokens"].append(fresh)
        return self._secret(fresh, bot)

    def _removed(self, token: int) -> None:
        self.tokens.pop(token, None)
        for bot in self.bots.values():
            bot["tokens"] = [info for info in bot["tokens"] if info["token"] != token]


def _page(kind: str, entries: dict[int, Record], command: Record) -> Record:
    """Return the entries behind the one that the page has last."""
    after = command.get("after", 0)
    found: Iterable[Record] = (entries[number] for number in sorted(entries) if number > after)
    rest = list(found)
    return {"t": "botlist" if kind == "bots" else "tokenlist", kind: rest[:PAGE], "more": len(rest) > PAGE}
