"""Limits the rooms that one account, and one network address, makes in a day, so that none uses up those of others.

A record is made when an account enters a room that has none. The counts are of a day and in memory: a restart forgets
them, as it does all quotas. Loopback is exempt from what is per address, as everywhere.
"""

from __future__ import annotations

from securechat.client_address import is_loopback
from securechat.hub.rate_limits import DailyQuota
from securechat.limits import Limits
from securechat.text.refusals import refusal_for


class RoomQuota:
    """Counts the rooms that were made.

    Args:
        limits: rooms_made_per_account_day, rooms_made_per_address_day, rooms_total.

    Attributes:
        under_way: records that are on their way to the log.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_account = DailyQuota(limits.rooms_made_per_account_day)
        self._by_address = DailyQuota(limits.rooms_made_per_address_day)
        self.under_way = 0

    def is_full(self, records: int) -> bool:
        """Tell whether the server keeps as many records of rooms as it may."""
        return records + self.under_way >= self._limits.rooms_total

    def check(self, sender_id: int, address: str, now: float) -> None:
        """Let an account make one more room.

        Raises:
            Refusal: TOO_MANY_ROOMS.
        """
        if not self._by_account.has_room(str(sender_id), 1, now):
            raise refusal_for("rooms_made_today", count=self._limits.rooms_made_per_account_day)
        if not is_loopback(address) and not self._by_address.has_room(address, 1, now):
            raise refusal_for("rooms_made_by_network_today")

    def begin(self, sender_id: int, address: str) -> None:
        """A room is being made."""
        self.under_way += 1
        self._by_account.take(str(sender_id), 1)
        self._by_address.take(address, 1)

    def end(self, sender_id: int, address: str, *, made: bool) -> None:
        """The room was made, or was not."""
        self.under_way -= 1
        if not made:
            self._by_account.give_back(str(sender_id), 1)
            self._by_address.give_back(address, 1)
