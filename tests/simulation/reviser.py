"""Scripts that also edit, delete and react over HTTP, and write direct messages.

A direct message has a key and is held to the law of all posts. A change has none: where its answer is lost it is asked
for again, and may then be stored twice, as often as it was sent at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from securechat.model import Deleted, Edited, Reacted
from securechat.testing.log_checks import HistoryBroken
from tests.simulation.deeds.revising import SIGNS
from tests.simulation.poster import Post, Poster

if TYPE_CHECKING:
    import random

    from securechat.model import Message

_KINDS = ("edit", "edit", "delete", "react", "react", "unreact", "direct", "direct")
_METHODS = {"edit": "PATCH", "delete": "DELETE", "react": "PUT", "unreact": "DELETE"}
_RECORDS = {"edit": Edited, "delete": Deleted, "react": Reacted, "unreact": Reacted}


@dataclass(slots=True)
class Errand(Post):
    """A direct message, or a change of a message.

    Attributes:
        kind: which.
        to: the other person of the dialogue that it is in, by sender_id; 0 for a room.
        target: the message that is changed.
        sign: a reaction.
        times: how often it was sent.
    """

    kind: str = "direct"
    to: int = 0
    target: int = 0
    sign: str = ""
    times: int = 0


class RevisingPoster(Poster):
    """A script that does all that the API takes."""

    def new_post(self, dice: random.Random) -> Post | None:
        """Think of a post, or of something else to do with its token."""
        post = super().new_post(dice)
        if post is None or post.hook or dice.random() < 0.45:
            return post
        me, kind = self.world.token_law.sender_of(post.token), dice.choice(_KINDS)
        errand = Errand(post.number, post.token, hook=False, room="", me=me, kind=kind)
        if not me or not self._aim(errand, dice):
            return post
        self.posts[-1] = errand
        return errand

    def _aim(self, errand: Errand, dice: random.Random) -> bool:
        if errand.kind == "direct":
            accounts = [who for who in self.world.token_law.accounts() if who != errand.me]
            if accounts:
                errand.to = dice.choice(accounts)
            return bool(accounts)
        message = self._some_message(errand.me, dice)
        if message is None:
            return False
        errand.target, errand.sign = message.seq, dice.choice(SIGNS)
        errand.room = message.room or ""
        if message.room is None:
            errand.to = message.sender_id if message.to == errand.me else message.to or 0
        return True

    def _some_message(self, me: int, dice: random.Random) -> Message | None:
        """A message: mostly one of its own, else one of the last, also of those that it may not know of."""
        said = self.world.storage.transcript.said
        own = [each.seq for each in self.posts if each.seq in said and each.me == me and not isinstance(each, Errand)]
        if own and dice.random() < 0.6:
            return said[dice.choice(own[-6:])].now
        return said[dice.choice(sorted(said)[-12:])].now if said else None

    def text(self, post: Post) -> str:
        """Return what something says; a direct message names both sides."""
        whole = super().text(post)
        if not isinstance(post, Errand):
            return whole
        return f"psst{post.me}-{post.to}; {whole}" if post.kind == "direct" else self._edited(post)

    def _edited(self, errand: Errand) -> str:
        """A new text; in a dialogue it must stay one that others would be caught with."""
        return f"{f'psst{errand.me}-{errand.to}; ' if not errand.room else ''}{self.base}'s edit {errand.number}"

    def request(self, post: Post) -> tuple[str, str, list[str], bytes]:
        """Return the method, path, headers and body."""
        if not isinstance(post, Errand):
            return super().request(post)
        post.times += 1
        where = f"rooms/{quote(post.room, safe='')}" if post.room else f"people/{post.to}"
        path, headers = f"/api/v1/{where}/messages", [f"Authorization: Bearer {post.token}"]
        if post.kind == "direct":
            return "POST", path, [f"Idempotency-Key: {self.base}-{post.number}", *headers], self.text(post).encode()
        path += f"/{post.target}"
        if post.sign and post.kind.endswith("react"):
            path += f"/reactions/{quote(post.sign, safe='')}"
        body = self.text(post).encode() if post.kind == "edit" else b""
        return _METHODS[post.kind], path, headers, body

    def success(self, post: Post) -> int:
        """Return the status of an answer that something is stored."""
        return 200 if isinstance(post, Errand) and post.kind != "direct" else super().success(post)

    def stored(self, post: Post, seq: int) -> None:
        """It is said to be stored, as this message or change. Raises as `Poster.stored`."""
        if not isinstance(post, Errand) or post.kind == "direct":
            super().stored(post, seq)
            return
        change = self.world.storage.transcript.changes.get(seq)
        if change is None or (change.target, change.sender_id) != (post.target, post.me):
            raise HistoryBroken(f"{post} was answered with {seq}, which is {change}")
        is_it = isinstance(change, _RECORDS[post.kind])
        if isinstance(change, Edited):
            is_it = is_it and change.text in (None, self.text(post))
        elif isinstance(change, Reacted):
            is_it = is_it and (change.sign, change.on) == (post.sign, post.kind == "react")
        if not is_it:
            raise HistoryBroken(f"{post} was answered with {seq}, which is {change}")

    def check(self) -> None:
        """Each thing is stored as often as it may be.

        Raises:
            HistoryBroken: it is not so.
        """
        changes = list(self.world.storage.transcript.changes.values())
        for errand in [post for post in self.posts if isinstance(post, Errand) and post.kind != "direct"]:
            if errand.kind == "edit":
                text = self.text(errand)
                made = [change.seq for change in changes if isinstance(change, Edited) and change.text == text]
                if len(made) > errand.times:
                    raise HistoryBroken(f"{errand} was stored as {made}")
        self.check_posts([post for post in self.posts if not isinstance(post, Errand) or post.kind == "direct"])
