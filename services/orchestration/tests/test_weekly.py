"""A week's batch from input to published scores, and what becomes of it when something is wrong."""

import json

import dagster as dg
import pytest

from churn_orchestration.partitions import Batch

from .world import FolderBucket, Mlflow, World, event_of, failure_of, retries_of

BATCH = Batch("us-nj", "2026-11-16")
OTHER = Batch("gb", "2026-11-16")
SAMPLE = {"raw_input": {"config": {"source": "sample"}}}


def assert_nothing_published(world: World, result: dg.ExecuteInProcessResult) -> None:
    assert not result.success
    assert world.published() == {}


def check_of(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    [found] = [one for one in result.get_asset_check_evaluations() if one.check_name == name]
    return found


def test_the_models_sample_is_scored_and_published(world: World) -> None:
    result = world.run(BATCH, SAMPLE)
    assert result.success
    batch_id = world.published()[BATCH.slot]
    made = world.bucket.read_json(BATCH.key("scores.json"))
    assert made["batchId"] == batch_id
    assert made["model"] == {"name": "churn-default", "version": "1"}
    assert made["summary"]["scored"] == 30
    first = json.loads(world.bucket.read(BATCH.key("vectors.jsonl")).splitlines()[0])
    assert first == {"player_id": "sample-0", "events": 0}
    names = {one.check_name for one in result.get_asset_check_evaluations() if one.passed}
    assert names == {
        "enough_good_lines",
        "every_row_is_accounted_for",
        "scores_are_spread_as_at_training",
        "scores_are_xgboosts_own",
    }


def test_landed_activity_up_to_the_weeks_end_is_scored(world: World) -> None:
    key = world.put_activity(BATCH)
    for late in ("2026-11-23/events.jsonl", "2026-11-17/_open.jsonl", "2026-11-17/x.jsonl.part"):
        world.put(f"landing/activity/us-nj/{late}", [event_of("late", "us-nj")])
    result = world.run(BATCH)
    assert result.success
    manifest = world.bucket.read_json(BATCH.key("input.json"))
    assert [entry["key"] for entry in manifest["objects"]] == [key]
    assert manifest["asOf"] == "2026-11-22T23:00:00.000Z"
    [replay] = [call for call in world.calls() if call.startswith("replay")]
    assert "vectors --as-of 2026-11-22T23:00:00.000Z --market us-nj" in replay
    assert "--from-source s3://bucket/landing/activity/us-nj/" in replay
    scoring = [call for call in world.calls() if call.startswith("score")]
    assert [call.split("--to ")[1] for call in scoring] == [
        "s3://bucket/batch/weekly/us-nj/2026-11-16/scores.parquet --json",
        "postgres --slot weekly/us-nj/2026-11-16 --json",
    ]


def test_the_same_batch_again_is_the_same_batch(world: World) -> None:
    world.put_activity(BATCH)
    world.run(BATCH)
    first = world.published()
    assert world.run(BATCH).success
    assert world.published() == first
    assert (
        world.bucket.read_json(BATCH.key("published.json"))["previousBatchId"] == first[BATCH.slot]
    )


def test_what_a_command_logs_stands_in_the_run(world: World) -> None:
    world.put_activity(BATCH)
    result = world.run(BATCH)
    messages = [log.user_message for log in world.instance.all_logs(result.run_id)]
    assert any("replay begins" in message for message in messages)


@pytest.mark.parametrize("command", ["replay", "score", "publish"])
def test_trouble_is_tried_again_and_harms_nothing(command: str, world: World) -> None:
    world.put_activity(BATCH)
    world.plan(**{command: [75, 75]})
    result = world.run(BATCH)
    assert result.success
    assert retries_of(result) == 2
    assert list(world.published()) == [BATCH.slot]


def test_trouble_that_stays_fails_after_five_retries(world: World) -> None:
    world.put_activity(BATCH)
    world.plan(score=[75] * 20)
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert retries_of(result) == 5
    assert failure_of(result)[0] == "predictions"


@pytest.mark.parametrize("command", ["replay", "score", "publish"])
def test_a_refusal_is_final_and_a_rerun_repairs(command: str, world: World) -> None:
    world.put_activity(BATCH)
    world.plan(**{command: [1]})
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert retries_of(result) == 0
    assert f"{command} was told to fail" in failure_of(result)[1]
    assert world.run(BATCH).success
    assert list(world.published()) == [BATCH.slot]


def test_a_killed_command_is_tried_again(world: World) -> None:
    world.put_activity(BATCH)
    node = world.folder / "node_modules" / ".bin" / "node"
    whole = node.read_text()
    marker = world.folder / "killed"
    killing = f"[ -e {marker} ] || {{ touch {marker}; kill -9 $$; }}\n"
    node.write_text(whole.replace("exec", f"{killing}exec"))
    result = world.run(BATCH)
    assert result.success
    assert retries_of(result) == 1


def test_a_poisoned_partition_fails_alone_and_is_rerun_alone(world: World) -> None:
    world.put_activity(BATCH, players=10, bad=10)
    world.put_activity(OTHER)
    assert not world.run(BATCH).success
    assert world.run(OTHER).success
    assert list(world.published()) == [OTHER.slot]
    world.put_activity(BATCH)
    assert world.run(BATCH).success
    assert set(world.published()) == {BATCH.slot, OTHER.slot}


def test_no_input_says_where_it_was_looked_for(world: World) -> None:
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert "no object under s3://bucket/landing/activity/us-nj/" in failure_of(result)[1]
    assert retries_of(result) == 0


def test_an_empty_file_stops_before_anything_is_computed(world: World) -> None:
    world.put("landing/activity/us-nj/2026-11-17/events.jsonl", [])
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert check_of(result, "enough_good_lines").description.startswith("0 good lines of 0")
    assert world.calls() == []


def test_wrong_columns_stop_before_anything_is_computed(world: World) -> None:
    key = "landing/activity/us-nj/2026-11-17/events.jsonl"
    world.put(key, [{"user": "p1", "amount": 3}] * 10)
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    counts = world.bucket.read_json(BATCH.key("validation.json"))
    assert counts["bad"] == {"no-event-id": 10}
    assert counts["firstBad"][0] == {"key": key, "line": 1, "reason": "no-event-id"}
    assert world.calls() == []


def test_a_sample_of_other_columns_is_refused(world: World) -> None:
    world.put("models/churn-default/1/X_test_sample.json", [[{"bets": 1}, {"bets": 2}]])
    result = world.run(BATCH, SAMPLE)
    assert_nothing_published(world, result)
    assert "wrong-columns" in check_of(result, "enough_good_lines").description


def test_one_percent_of_malformed_lines_is_counted_and_does_not_stop(world: World) -> None:
    world.put_activity(BATCH, players=198, bad=2)
    result = world.run(BATCH)
    assert result.success
    counts = world.bucket.read_json(BATCH.key("validation.json"))
    assert counts["bad"] == {"not-json": 2}
    assert counts["badShare"] == 0.01


def test_an_event_twice_is_counted_and_a_player_is_scored_once(world: World) -> None:
    events = [event_of(f"p{index % 50}", "us-nj") for index in range(100)]
    world.put("landing/activity/us-nj/2026-11-17/events.jsonl", events)
    assert world.run(BATCH).success
    assert world.bucket.read_json(BATCH.key("validation.json"))["duplicates"] == 50
    assert world.bucket.read_json(BATCH.key("scores.json"))["summary"]["scored"] == 50


def test_rows_that_are_not_accounted_for_are_not_published(world: World) -> None:
    class Losing(type(world.store)):
        def stored(self, batch_id: str) -> object:
            found = super().stored(batch_id)
            return type(found)(found.rows, found.players - 1)

    world.put_activity(BATCH)
    losing = Losing(database_url="none", folder=world.store.folder)
    result = world.run(BATCH, resources={"score_store": losing})
    assert_nothing_published(world, result)
    assert (
        "200 stored for 199 players" in check_of(result, "every_row_is_accounted_for").description
    )


def test_scores_that_differ_from_xgboost_are_not_published(world: World) -> None:
    world.put_activity(BATCH)
    (world.folder / "difference.txt").write_text("0.01")
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert not check_of(result, "scores_are_xgboosts_own").passed


def test_scores_that_are_spread_otherwise_are_published_and_said(world: World) -> None:
    shares = [0.05] * 20
    profile = {"score": {"count": 5000, "shares": shares}}
    world.put("models/churn-default/1/reference_profile.json", [profile])
    world.put_activity(BATCH, players=1_500)
    result = world.run(BATCH)
    assert result.success
    check = check_of(result, "scores_are_spread_as_at_training")
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert list(world.published()) == [BATCH.slot]


def test_an_object_replaced_during_the_fold_is_not_scored(world: World) -> None:
    key = world.put_activity(BATCH)
    world.plan(replay=[{"replace": key}])
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    step, why = failure_of(result)
    assert step == "features"
    assert key in why
    assert not any(call.startswith("score") for call in world.calls())
    world.put_activity(BATCH)
    assert world.run(BATCH).success


def test_an_object_replaced_after_it_was_listed_is_not_read(world: World) -> None:
    key = world.put_activity(BATCH)
    replacing = ReplacingBucket(name="bucket", folder=world.bucket.folder, doomed=key)
    result = world.run(BATCH, resources={"bucket": replacing})
    assert_nothing_published(world, result)
    assert failure_of(result)[0] == "validated_input"
    assert "was replaced or removed since it was listed" in failure_of(result)[1]


class ReplacingBucket(FolderBucket):
    """Somebody writes the object anew as soon as it has been listed."""

    doomed: str

    def write(self, key: str, content: bytes) -> None:
        super().write(key, content)
        if key.endswith("input.json"):
            super().write(self.doomed, b"{}\n")


def test_a_model_deleted_between_load_and_score_is_a_clear_failure(
    world: World, mlflow: Mlflow
) -> None:
    world.put_activity(BATCH)
    world.put("../deleted/churn-default-1", [])
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert "there is no models:/churn-default/1" in failure_of(result)[1]
    mlflow.champions["churn-default"] = "2"
    assert world.run(BATCH).success


def test_mlflow_away_is_waited_for(world: World, mlflow: Mlflow) -> None:
    world.put_activity(BATCH)
    mlflow.status = 503
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert retries_of(result) == 5
    assert "MLflow answers 503" in failure_of(result)[1]
    mlflow.status = 200
    assert world.run(BATCH).success


def test_postgresql_away_is_waited_for_and_a_rerun_repairs(world: World) -> None:
    world.put_activity(BATCH)
    away = world.folder / "database" / "away"
    away.touch()
    result = world.run(BATCH)
    assert_nothing_published(world, result)
    assert retries_of(result) == 5
    assert "PostgreSQL does not answer" in failure_of(result)[1]
    away.unlink()
    assert world.run(BATCH).success


def test_nobody_serves_a_market_says_what_to_do(world: World, mlflow: Mlflow) -> None:
    mlflow.champions.clear()
    result = world.run(BATCH, SAMPLE)
    assert "npm run model -- promote us-nj VERSION" in failure_of(result)[1]


def test_the_markets_own_champion_is_preferred(world: World, mlflow: Mlflow) -> None:
    mlflow.champions["churn-us-nj"] = "7"
    world.put("models/churn-us-nj/7/xgboost/model.json", [{}])
    for file in ("columns.json", "reference_profile.json"):
        content = world.bucket.read(f"models/churn-default/1/{file}")
        world.bucket.write(f"models/churn-us-nj/7/{file}", content)
    world.put_activity(BATCH)
    assert world.run(BATCH).success
    assert world.bucket.read_json(BATCH.key("published.json"))["model"]["name"] == "churn-us-nj"


def test_rescore_uses_the_version_that_was_named_and_keeps_the_former_batch(world: World) -> None:
    world.put_activity(BATCH)
    world.run(BATCH)
    former = world.published()[BATCH.slot]
    config = {"predictions": {"config": {"model": "models:/churn-default/2"}}}
    result = world.run(BATCH, config, job="rescore")
    assert result.success
    assert world.published()[BATCH.slot] != former
    assert (world.folder / "database" / f"{former}.json").exists()
    assert len([call for call in world.calls() if call.startswith("replay")]) == 1


def test_rescore_by_alias_is_refused(world: World) -> None:
    world.put_activity(BATCH)
    world.run(BATCH)
    config = {"predictions": {"config": {"model": "models:/churn-default@champion"}}}
    result = world.run(BATCH, config, job="rescore")
    assert "it must be models:/NAME/VERSION" in failure_of(result)[1]


def test_a_bug_is_not_tried_again(world: World) -> None:
    class Broken(type(world.bucket)):
        def listing(self, prefix: str) -> list[object]:
            raise TypeError("a bug")

    result = world.run(BATCH, resources={"bucket": Broken(name="bucket", folder="none")})
    assert retries_of(result) == 0
    assert failure_of(result) == ("raw_input", "TypeError: a bug")
