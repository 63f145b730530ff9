"""Days are the user's: what a line shows as its date is what finds it.

Looked through for days: `/search` with `after:` and `before:` (also a month, a year, `today`, `yesterday`), its next
page, `/history DAY`, the dates of hits and of old lines, the times of announcements, and in the admin tools the lists
and the audit (`durations.shown_time`), which are local too. JSON (`--json`, `export`) holds instants.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from securechat.client.core import actions
from securechat.client.ui.rows.rendering import day_at_ms, is_day, local_date, local_days
from securechat.model import Say, Search, SearchPage
from tests.support.hub_rig import HubRig
from tests.unit.client.test_interaction import interaction

SetZone = Callable[[str], None]
ZONES = ("Asia/Jakarta", "America/St_Johns", "Asia/Beirut", "Pacific/Apia", "UTC", "Pacific/Kiritimati")
"""East and west of UTC, by half an hour, with a daylight saving time that begins at midnight, and far out."""


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetZone]:
    def put(name: str) -> None:
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield put
    monkeypatch.undo()
    time.tzset()


MONDAY_NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)


class Noon(dt.datetime):
    """The clock stands at noon of a Monday."""

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Noon:
        return cls.fromtimestamp(MONDAY_NOON.timestamp(), tz)


@pytest.mark.parametrize(
    ("word", "day"),
    [
        ("today", "2026-11-23"),
        ("yesterday", "2026-11-22"),
        ("sunday", "2026-11-22"),
        ("Saturday", "2026-11-21"),
        ("tuesday", "2026-11-17"),
        ("monday", "2026-11-16"),
    ],
)
def test_a_day_has_a_name(word: str, day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dt, "datetime", Noon)
    assert is_day(word)
    assert day_at_ms(word) == day_at_ms(day) is not None


@pytest.mark.parametrize("word", ["tomorrow", "mon", "2026", "2026-11", "26-11-20", "ana", ""])
def test_other_words_are_no_days(word: str) -> None:
    assert not is_day(word)


def asked(line: str) -> actions.FindMessages:
    action = interaction().take(line).action
    assert isinstance(action, actions.FindMessages)
    return action


def utc_ms(*moment: int) -> int:
    return int(dt.datetime(*moment, tzinfo=dt.UTC).timestamp() * 1000)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("name", "day", "begins"),
    [
        ("Asia/Jakarta", "2026-11-29", (2026, 11, 28, 17)),
        ("America/St_Johns", "2026-11-29", (2026, 11, 29, 3, 30)),
        ("America/St_Johns", "2026-03-08", (2026, 3, 8, 3, 30)),  # the clocks go forward in this day
        ("America/St_Johns", "2026-03-09", (2026, 3, 9, 2, 30)),
        ("America/St_Johns", "2026-11-01", (2026, 11, 1, 2, 30)),  # and back in this one
        ("America/St_Johns", "2026-11-02", (2026, 11, 2, 3, 30)),
        ("Asia/Beirut", "2026-03-29", (2026, 3, 28, 22)),  # there is no midnight: the day begins at 01:00
        ("UTC", "2026-11-29", (2026, 11, 29)),
    ],
)
def test_a_day_begins_where_the_user_is(zone: SetZone, name: str, day: str, begins: tuple[int, ...]) -> None:
    zone(name)
    assert day_at_ms(day) == utc_ms(*begins)
    assert asked(f"/search after:{day}") == actions.FindMessages(f"after:{day}", since_ms=utc_ms(*begins))
    assert asked(f"/search tea before:{day}") == actions.FindMessages(f"tea before:{day}", until_ms=utc_ms(*begins))


def test_months_years_and_today_are_the_users_too(zone: SetZone) -> None:
    zone("Asia/Jakarta")
    assert asked("/search after:2026-11 before:2027").since_ms == utc_ms(2026, 10, 31, 17)
    assert asked("/search after:2026-11 before:2027").until_ms == utc_ms(2026, 12, 31, 17)
    today = dt.datetime.now(dt.UTC).astimezone().date()
    assert local_days().today_ms == day_at_ms(today.isoformat())
    assert asked("/search after:today").since_ms == local_days().today_ms
    yesterday = today - dt.timedelta(days=1)
    assert asked("/search before:yesterday").until_ms == day_at_ms(yesterday.isoformat())


@pytest.mark.parametrize("query", ["tea", "before:soon", "after:2026-02-30", '"after:2026-11-29"', "after:0", "from:"])
def test_a_search_without_a_day_is_sent_as_it_is(query: str) -> None:
    assert asked(f"/search {query}") == actions.FindMessages(query)


@pytest.mark.parametrize("name", ["Asia/Jakarta", "America/St_Johns"])
@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "9999-12-31", "2026-13-01"])
def test_days_at_the_ends_of_the_calendar_break_nothing(zone: SetZone, name: str, day: str) -> None:
    zone(name)
    asked(f"/search after:{day} before:{day[:4]}")
    interaction().take(f"/history {day}")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(ZONES), at_ms=st.integers(utc_ms(2012, 1, 1), utc_ms(2037, 12, 30)))
def test_a_line_is_found_by_the_date_it_shows(zone: SetZone, name: str, at_ms: int) -> None:
    zone(name)
    day = local_date(at_ms)[:10]
    following = dt.date.fromisoformat(day) + dt.timedelta(days=1)
    found = asked(f"/search after:{day} before:{following}")
    assert found.since_ms is not None
    assert found.until_ms is not None
    assert found.since_ms <= at_ms < found.until_ms
    assert (day_at_ms(day) or 0) <= at_ms


def test_the_server_takes_the_users_days(zone: SetZone) -> None:
    """06:13 of the 29th in Jakarta is 23:13 of the 28th in UTC."""
    zone("Asia/Jakarta")
    rig = HubRig()
    rig.now = utc_ms(2026, 11, 28, 23, 13) / 1000
    ann = rig.member("ann")
    rig.do(ann, Say(client_id=1, room="lobby", text="early tea"))
    [line] = ann.messages
    assert local_date(line.sent_at_ms) == "2026-11-29 06:13"

    def hits(query: str) -> int:
        action = asked(f"/search {query}")
        rig.do(ann, Search(1, action.query, since=action.since_ms, until=action.until_ms))
        return len(ann.last(SearchPage).hits)

    assert hits("tea after:2026-11-29") == hits("after:2026-11-29 before:2026-11-30") == 1
    assert hits("tea before:2026-11-29") == hits("tea after:2026-11-30") == 0
    rig.do(ann, Search(2, "after:2026-11-29"))
    assert ann.last(SearchPage).hits == [], "without a word of the client a day is in UTC"


ODD_ZONES = ("AAA24:59:59", "AAA-24:59:59", "Foo/Bar", ":/etc/passwd", "", "A")
"""The first two are more than a day from UTC, which Python shows nothing in; the others mean UTC, or anything."""


@pytest.mark.parametrize("name", ODD_ZONES)
def test_a_day_begins_where_the_lines_show_it_in_an_odd_zone_too(zone: SetZone, name: str) -> None:
    zone(name)
    begin_ms = day_at_ms("2026-11-29")
    assert begin_ms is not None
    assert (local_date(begin_ms), local_date(begin_ms - 1)) == ("2026-11-29 00:00", "2026-11-28 23:59")
    if "24:59" in name:
        assert begin_ms == utc_ms(2026, 11, 29)
    today = asked("/search word after:today").since_ms
    assert today is not None
    calendar = local_days()
    assert today == calendar.today_ms <= int(time.time() * 1000) < today + 2 * 86_400_000
    assert local_date(today).endswith(" 00:00")
