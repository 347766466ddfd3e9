"""What is one batch: which market, which week, and where do its files lie?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from .config import SETTINGS

MONDAY = 1
WEEKS = dg.WeeklyPartitionsDefinition(
    start_date=SETTINGS.first_week, day_offset=MONDAY, timezone=SETTINGS.time_zone
)
BATCHES = dg.MultiPartitionsDefinition(
    {"market": dg.StaticPartitionsDefinition(list(SETTINGS.markets)), "week": WEEKS}
)


@dataclass(frozen=True)
class Batch:
    """One market's week; `week` is the date of its Monday."""

    market: str
    week: str

    @property
    def ends_at(self) -> datetime:
        """The players are scored as of this instant, in UTC."""
        return WEEKS.time_window_for_partition_key(self.week).end.astimezone(UTC)

    @property
    def as_of(self) -> str:
        return self.ends_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def slot(self) -> str:
        return f"weekly/{self.market}/{self.week}"

    @property
    def partition_key(self) -> dg.MultiPartitionKey:
        return dg.MultiPartitionKey({"market": self.market, "week": self.week})

    def key(self, name: str) -> str:
        """Of a file of this batch, in the bucket."""
        return f"batch/weekly/{self.market}/{self.week}/{name}"


def batch_of(partition_key: str) -> Batch:
    dimensions: Mapping[str, str] = BATCHES.get_partition_key_from_str(
        partition_key
    ).keys_by_dimension
    return Batch(dimensions["market"], dimensions["week"])


def newest_week(at: datetime) -> str | None:
    """The last week that was complete at that instant; None before the first one's end."""
    return next(reversed(WEEKS.get_partition_keys(current_time=at)), None)
