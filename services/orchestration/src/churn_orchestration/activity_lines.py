"""Does a line of raw activity say who did what, where and when?"""

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN_PROBLEMS = 20


@dataclass
class LineCounts:
    """Of everything that was read so far."""

    lines: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    # Of one day's folder: the same event delivered twice. Features count it once.
    duplicates: int = 0
    players: set[str] = field(default_factory=set)
    first_bad: list[dict[str, Any]] = field(default_factory=list)

    @property
    def bad_share(self) -> float:
        return sum(self.bad.values()) / self.lines if self.lines > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        return {
            "lines": self.lines,
            "bad": dict(self.bad),
            "badShare": self.bad_share,
            "duplicates": self.duplicates,
            "players": len(self.players),
            "firstBad": self.first_bad,
        }


def count_lines(
    counts: LineCounts, seen: set[str], key: str, market: str, lines: Iterable[bytes]
) -> None:
    """Adds an object's lines to the counts; `seen` holds the event ids of its day."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        counts.lines += 1
        event, problem = parse_event(line, market)
        if problem is not None:
            counts.bad[problem] += 1
            if len(counts.first_bad) < SHOWN_PROBLEMS:
                counts.first_bad.append({"key": key, "line": number, "reason": problem})
            continue
        counts.players.add(event["playerId"])
        if event["eventId"] in seen:
            counts.duplicates += 1
        seen.add(event["eventId"])


def parse_event(line: bytes, market: str) -> tuple[dict[str, Any], str | None]:
    """
    The event, or a slug that says why it is none. Only what every event has: what a kind of event
    needs further is for the fold to judge, which counts what it rejects.
    """
    try:
        event = json.loads(line)
    except ValueError:
        return {}, "not-json"
    if not isinstance(event, dict):
        return {}, "not-an-object"
    for name, slug in (("eventId", "event-id"), ("playerId", "player-id"), ("kind", "kind")):
        if not isinstance(event.get(name), str) or event[name] == "":
            return {}, f"no-{slug}"
    at = event.get("occurredAt")
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at) or at < 0:
        return {}, "no-occurred-at"
    if event.get("market") != market:
        return {}, "other-market"
    return event, None
