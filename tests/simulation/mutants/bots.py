"""Bugs of the bot library, which runs with a bot find (`Options.bot`)."""

from __future__ import annotations

from typing import Any

from securechat.bot.base import Bot
from securechat.bot.cursor import Cursor, Progress
from securechat.bot.session import BotSession
from securechat.client.core.timeline import Timeline
from tests.simulation.mutants.planting import Mutant, planted

BOT_MUTANTS: dict[str, Mutant] = {}


@planted(Bot, "_begins", BOT_MUTANTS)
def cursor_moved_too_early(original: Any) -> Any:
    def begins(self: Any, heard: Any, *, own: bool, bots: bool) -> bool:
        is_wanted: bool = original(self, heard, own=own, bots=bots)
        if is_wanted:
            self._progress.ended(heard.seq, heard.through)
        return is_wanted

    return begins


@planted(Bot, "_ended", BOT_MUTANTS)
def cursor_moved_too_late(original: Any) -> Any:
    def ended(self: Any) -> None:
        heard = self._handling
        original(self)
        if heard is not None and heard.seq:
            self._progress._above.discard(heard.seq)
            self._progress._done = min(self._progress._done, heard.seq - 1)

    return ended


@planted(BotSession, "send", BOT_MUTANTS)
def reply_without_key(original: Any) -> Any:
    return lambda self, target, text, reply=None, key=None, *more: original(self, target, text, reply, None, *more)


@planted(Bot, "_count_reply", BOT_MUTANTS)
def reply_keyed_by_the_run(original: Any) -> Any:
    return lambda self, seq: original(self, seq) + 10 * (id(self) % 1_000_003)


@planted(Progress, "is_again", BOT_MUTANTS)
def again_never_told(original: Any) -> Any:
    return lambda self, seq: False


@planted(BotSession, "begins_at", BOT_MUTANTS)
def cursor_of_the_earlier_run_ignored(original: Any) -> Any:
    return lambda self: Cursor(self.core.began_at)


@planted(Timeline, "entered", BOT_MUTANTS)
def rooms_read_from_now_on(original: Any) -> Any:
    def entered(self: Any, key: Any, live_from: int, backfill_count: int, *, was_in: bool = False) -> None:
        original(self, key, live_from, backfill_count)

    return entered


@planted(Timeline, "go_on", BOT_MUTANTS)
def held_back_entries_lost(original: Any) -> Any:
    def go_on(self: Any) -> None:
        if self._resume is not None:
            self._resume.release()
        original(self)

    return go_on


@planted(BotSession, "_number", BOT_MUTANTS)
def page_handled_with_its_first_message(original: Any) -> Any:
    def number(self: Any, entries: Any) -> None:
        for entry in entries:
            entry.through = self.core.complete_through

    return number


@planted(Timeline, "complete_through", BOT_MUTANTS)
def cursor_passes_what_is_still_missing(original: Any) -> Any:
    return property(
        lambda self: max(
            self.cursor, *(each.target for each in (*self._jobs, self._resume) if hasattr(each, "target")), 0
        )
    )
