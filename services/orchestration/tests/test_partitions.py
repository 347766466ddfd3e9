"""Weeks and the instants at which they end."""

from datetime import UTC, datetime

from churn_orchestration.partitions import Batch, batch_of, newest_week


def test_a_week_ends_at_midnight_of_its_time_zone_also_when_clocks_change() -> None:
    assert Batch("gb", "2026-11-16").as_of == "2026-11-22T23:00:00.000Z"
    # On Sunday the 29th of March Malta loses an hour.
    assert Batch("gb", "2026-03-23").as_of == "2026-03-29T22:00:00.000Z"


def test_a_batch_is_found_again_by_its_partition_key() -> None:
    batch = Batch("us-nj", "2026-11-16")
    assert batch_of(str(batch.partition_key)) == batch


def test_the_newest_week_is_the_last_complete_one() -> None:
    end = Batch("gb", "2026-11-16").ends_at
    assert newest_week(end) == "2026-11-16"
    assert newest_week(end.replace(hour=22, minute=59)) == "2026-11-09"
    assert newest_week(datetime(2026, 1, 7, tzinfo=UTC)) is None
