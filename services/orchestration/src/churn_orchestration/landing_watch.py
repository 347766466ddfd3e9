"""Which objects of the landing folder are new and whole?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from .objects import Listed
from .weekly import is_whole

KINDS = (".json", ".jsonl", ".ndjson", ".csv", ".parquet")


@dataclass(frozen=True)
class Watch:
    """What the ticks so far have seen, by key: the ETag last seen, and the one that was taken."""

    seen: dict[str, str]
    taken: dict[str, str]


@dataclass(frozen=True)
class Looked:
    ready: list[Listed]
    # Seen, and left for a later tick.
    waiting: int
    # Of no kind that can be scored.
    unknown: list[str]
    watch: Watch


def look_around(
    watch: Watch, listing: Iterable[Listed], now: datetime, settle_seconds: float, most: int
) -> Looked:
    """
    Ready is an object that had the same ETag at the tick before, has lain unchanged for the
    settling time, has a name of a kind that can be scored, and was not taken with this ETag. At
    most `most` are taken; objects that are gone are forgotten.
    """
    ready: list[Listed] = []
    unknown: list[str] = []
    waiting = 0
    seen: dict[str, str] = {}
    taken: dict[str, str] = {}
    for found in listing:
        if not is_whole(found.key):
            continue
        if not found.key.removesuffix(".gz").endswith(KINDS):
            unknown.append(found.key)
            continue
        seen[found.key] = found.etag
        if watch.taken.get(found.key) == found.etag:
            taken[found.key] = found.etag
            continue
        is_same = watch.seen.get(found.key) == found.etag
        is_settled = (now - found.modified_at).total_seconds() >= settle_seconds
        if is_same and is_settled and len(ready) < most:
            ready.append(found)
            taken[found.key] = found.etag
            continue
        waiting += 1
        if found.key in watch.taken:
            taken[found.key] = watch.taken[found.key]
    return Looked(ready, waiting, unknown, Watch(seen, taken))
