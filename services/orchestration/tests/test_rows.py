"""A file of rows that somebody put into the bucket."""

from typing import Any

import pytest

from .world import Mlflow, World, failure_of

KEY = "landing/rows/today.jsonl"
ROWS = [{"player_id": f"p{index}", "events": index} for index in range(40)]


def config(world: World, key: str = KEY) -> dict[str, Any]:
    found = world.bucket.look(key)
    etag = "none" if found is None else found.etag
    return {"row_scores": {"config": {"key": key, "etag": etag}}}


def test_rows_are_scored_by_the_model_that_serves_everyone(world: World) -> None:
    world.put(KEY, ROWS)
    assert world.run(None, config(world), "score_rows").success
    [call] = world.calls()
    assert "--model models:/churn-default/1" in call
    assert "--to s3://bucket/batch/rows/today.jsonl.parquet" in call
    assert world.bucket.look("batch/rows/today.jsonl.parquet") is not None


def test_a_markets_folder_is_scored_by_the_markets_model(world: World, mlflow: Mlflow) -> None:
    mlflow.champions["churn-us-nj"] = "4"
    world.put("landing/rows/us-nj/today.jsonl", ROWS)
    assert world.run(None, config(world, "landing/rows/us-nj/today.jsonl"), "score_rows").success
    [call] = world.calls()
    assert "--model models:/churn-us-nj/4" in call
    assert "--market us-nj" in call


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "has no rows"),
        ([{"player_id": "p", "goals": 1}], "lacks the column events"),
        ([ROWS[0]] * 10, "9 of 10 rows were rejected"),
    ],
)
def test_bad_rows_fail_for_good_and_leave_nothing(
    rows: list[dict[str, Any]], why: str, world: World
) -> None:
    world.put(KEY, rows)
    result = world.run(None, config(world), "score_rows")
    assert why in failure_of(result)[1]
    assert world.bucket.look("batch/rows/today.jsonl.parquet") is None
    assert len(world.calls()) == 1


def test_one_percent_of_bad_rows_is_reported(world: World) -> None:
    world.put(KEY, [*ROWS, *({"player_id": f"q{i}", "events": i} for i in range(59)), {}])
    result = world.run(None, config(world), "score_rows")
    assert result.success
    [event] = result.get_asset_materialization_events()
    assert event.materialization.metadata["rejected"].value == 1


def test_a_replaced_object_is_left_to_its_own_run(world: World) -> None:
    world.put(KEY, ROWS)
    old = config(world)
    world.put(KEY, ROWS[:5])
    result = world.run(None, old, "score_rows")
    assert "was replaced since it was seen" in failure_of(result)[1]
    assert world.calls() == []


def test_an_object_replaced_while_it_was_read_fails(world: World) -> None:
    world.put(KEY, ROWS)
    world.plan(score=[{"replace": f"s3://bucket/{KEY}", "with": '{"events": 1}\n'}])
    result = world.run(None, config(world), "score_rows")
    assert "was replaced since it was seen" in failure_of(result)[1]
