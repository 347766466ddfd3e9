"""Half-written objects are left alone, whole ones are taken once."""

from datetime import UTC, datetime, timedelta

from churn_orchestration.landing_watch import Looked, Watch, look_around
from churn_orchestration.objects import Listed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def listed(name: str, etag: str = "a", age_seconds: float = 600) -> Listed:
    return Listed(f"landing/rows/{name}", etag, 10, NOW - timedelta(seconds=age_seconds))


def look(watch: Watch, *found: Listed, most: int = 10) -> Looked:
    return look_around(watch, found, NOW, 60, most)


def keys(looked: Looked) -> list[str]:
    return [found.key.removeprefix("landing/rows/") for found in looked.ready]


NOTHING = Watch({}, {})


def test_an_object_is_ready_at_the_second_look_and_only_then() -> None:
    first = look(NOTHING, listed("a.csv"))
    assert (keys(first), first.waiting) == ([], 1)
    second = look(first.watch, listed("a.csv"))
    assert keys(second) == ["a.csv"]
    assert keys(look(second.watch, listed("a.csv"))) == []


def test_an_object_that_still_changes_is_left_alone() -> None:
    first = look(NOTHING, listed("a.csv", "one"))
    second = look(first.watch, listed("a.csv", "two"))
    assert keys(second) == []
    assert keys(look(second.watch, listed("a.csv", "two"))) == ["a.csv"]


def test_an_object_written_just_now_is_left_alone() -> None:
    first = look(NOTHING, listed("a.csv", age_seconds=59))
    assert keys(look(first.watch, listed("a.csv", age_seconds=59))) == []
    assert keys(look(first.watch, listed("a.csv", age_seconds=60))) == ["a.csv"]


def test_an_object_replaced_after_it_was_taken_is_taken_again_once() -> None:
    watch = look(look(NOTHING, listed("a.csv")).watch, listed("a.csv")).watch
    third = look(watch, listed("a.csv", "b"))
    assert keys(third) == []
    fourth = look(third.watch, listed("a.csv", "b"))
    assert keys(fourth) == ["a.csv"]
    assert keys(look(fourth.watch, listed("a.csv", "b"))) == []


def test_names_of_unfinished_or_unknown_files_are_never_taken() -> None:
    names = ["_a.csv", ".a.csv", "a.csv.tmp", "a.csv.part", "a.txt", "deep/a.jsonl.gz"]
    found = [listed(name) for name in names]
    second = look(look(NOTHING, *found).watch, *found)
    assert keys(second) == ["deep/a.jsonl.gz"]
    assert second.unknown == ["landing/rows/a.txt"]


def test_more_than_one_tick_may_take_is_taken_at_the_next() -> None:
    found = [listed(f"{index}.csv") for index in range(5)]
    second = look(look(NOTHING, *found).watch, *found, most=3)
    third = look(second.watch, *found, most=3)
    assert [keys(second), keys(third)] == [["0.csv", "1.csv", "2.csv"], ["3.csv", "4.csv"]]


def test_an_object_that_is_gone_is_forgotten() -> None:
    watch = look(look(NOTHING, listed("a.csv")).watch, listed("a.csv")).watch
    assert look(watch).watch == NOTHING
