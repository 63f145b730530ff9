"""Buckets and quotas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securechat.hub.rate_limits import AddressBuckets, DailyQuota, TokenBucket


def test_a_full_bucket_gives_its_burst_at_once_and_then_asks_to_wait() -> None:
    bucket = TokenBucket(burst=3, rate=2)
    assert [bucket.take(1, 10.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(1, 10.0) == pytest.approx((1.5 + 1) / 2)


def test_after_the_wait_several_may_pass() -> None:
    bucket = TokenBucket(burst=10, rate=5)
    for _ in range(10):
        bucket.take(1, 0.0)
    wait_s = bucket.take(1, 0.0)
    assert [bucket.take(1, wait_s) for _ in range(5)] == [0] * 5


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.floats(1, 20), st.floats(0.5, 20))
def test_whoever_obeys_the_wait_never_passes_the_rate_by_more_than_the_burst(
    gaps: list[float], burst: float, rate: float
) -> None:
    bucket, now, wait_s = TokenBucket(burst, rate), 0.0, 0.0
    for taken, gap in enumerate(gaps, start=1):
        now += max(gap, wait_s)
        wait_s = bucket.take(1, now)
        assert taken <= burst + rate * now + 1 + 1e-6


def test_buckets_of_quiet_addresses_are_forgotten() -> None:
    buckets = AddressBuckets(burst=1, rate=1, factor=1)
    for number in range(5000):
        buckets.take(f"10.0.{number // 256}.{number % 256}", 1.0, now=float(number))
    assert len(buckets._buckets) <= 2048


def test_a_quota_is_per_address_and_day() -> None:
    quota = DailyQuota(100)
    assert quota.has_room("a", 100, 0.0)
    quota.take("a", 100)
    assert not quota.has_room("a", 1, 5.0)
    assert quota.has_room("b", 100, 5.0)
    assert quota.has_room("a", 1, 86_400.0)
