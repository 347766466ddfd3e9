"""Which lines are bad, and why."""

import json

import pytest

from churn_orchestration.activity_lines import LineCounts, count_lines

from .world import event_of

GOOD = event_of("p1", "gb")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{half", "not-json"),
        ("[1]", "not-an-object"),
        (json.dumps({**GOOD, "eventId": ""}), "no-event-id"),
        (json.dumps({**GOOD, "playerId": 7}), "no-player-id"),
        (json.dumps({**GOOD, "kind": None}), "no-kind"),
        (json.dumps({**GOOD, "occurredAt": "2026"}), "no-occurred-at"),
        (json.dumps({**GOOD, "occurredAt": True}), "no-occurred-at"),
        (json.dumps({**GOOD, "occurredAt": float("nan")}), "no-occurred-at"),
        (json.dumps({**GOOD, "market": "us-nj"}), "other-market"),
        (b"\xff\xfe", "not-json"),
    ],
)
def test_a_bad_line_is_counted_with_its_place(line: str | bytes, reason: str) -> None:
    counts = LineCounts()
    raw = line if isinstance(line, bytes) else line.encode()
    count_lines(counts, set(), "a.jsonl", "gb", [json.dumps(GOOD).encode(), b"\n", raw])
    assert dict(counts.bad) == {reason: 1}
    assert counts.first_bad == [{"key": "a.jsonl", "line": 3, "reason": reason}]
    assert (counts.lines, counts.bad_share) == (2, 0.5)


def test_an_id_seen_on_the_same_day_is_a_duplicate() -> None:
    counts, day = LineCounts(), set[str]()
    line = json.dumps(GOOD).encode()
    count_lines(counts, day, "a.jsonl", "gb", [line])
    count_lines(counts, day, "b.jsonl", "gb", [line])
    assert (counts.lines, counts.duplicates, counts.players) == (2, 1, {"p1"})
