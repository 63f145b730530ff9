"""How many rooms one account, and one address, may have made: so that no peer uses up the rooms of the others.

A record is made when an account enters a room that has none. The counts are of a day and in memory: a restart forgets
them, as it does all quotas. Loopback is exempt from what is per address, as everywhere.
"""

from __future__ import annotations

from securechat.client_address import is_loopback
from securechat.errors import ErrorCode, Refusal
from securechat.hub.rate_limits import DailyQuota
from securechat.limits import Limits


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
            raise Refusal(
                ErrorCode.TOO_MANY_ROOMS,
                f"you have made {self._limits.rooms_made_per_account_day} new rooms today, which is the most; "
                "join one of /rooms, or make it tomorrow",
            )
        if not is_loopback(address) and not self._by_address.has_room(address, 1, now):
            raise Refusal(
                ErrorCode.TOO_MANY_ROOMS,
                "as many new rooms as allowed were made from your network today; join one of /rooms, or try tomorrow",
            )

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
