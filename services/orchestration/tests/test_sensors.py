"""What the sensors ask for and tell, and what they remember."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from churn_orchestration.errors import TroubleError
from churn_orchestration.notices import Notice, Notifier
from churn_orchestration.partitions import Batch
from churn_orchestration.sensors import failed_runs, new_champion, new_rows

from .world import Answering, Mlflow, World

BATCH = Batch("us-nj", "2026-11-16")


def tick(world: World, sensor: Any, cursor: str | None = None, **resources: Any) -> Any:  # noqa: ANN401
    context = dg.build_sensor_context(instance=world.instance, cursor=cursor)
    return context, sensor(context, **resources)


def test_new_rows_asks_for_one_run_of_each_object(world: World) -> None:
    world.put("landing/rows/a.jsonl", [{"events": 1}])
    world.put("landing/rows/b.jsonl.part", [{"events": 1}])
    _, first = tick(world, new_rows, bucket=world.bucket)
    assert first.run_requests == []
    _, second = tick(world, new_rows, first.cursor, bucket=world.bucket)
    [request] = second.run_requests
    etag = world.bucket.look("landing/rows/a.jsonl").etag
    assert request.run_key == f"landing/rows/a.jsonl@{etag}"
    config = {"key": "landing/rows/a.jsonl", "etag": etag}
    assert request.run_config["ops"]["row_scores"]["config"] == config
    _, third = tick(world, new_rows, second.cursor, bucket=world.bucket)
    assert third.run_requests == []
    world.put("landing/rows/a.jsonl", [{"events": 2}])
    _, fourth = tick(world, new_rows, third.cursor, bucket=world.bucket)
    _, fifth = tick(world, new_rows, fourth.cursor, bucket=world.bucket)
    assert (len(fourth.run_requests), len(fifth.run_requests)) == (0, 1)
    assert fifth.run_requests[0].run_key != request.run_key


def test_what_new_rows_asks_for_runs(world: World) -> None:
    world.put("landing/rows/a.jsonl", [{"player_id": "p", "events": 1}])
    _, first = tick(world, new_rows, bucket=world.bucket)
    _, second = tick(world, new_rows, first.cursor, bucket=world.bucket)
    [request] = second.run_requests
    assert world.run(None, request.run_config["ops"], "score_rows").success


def test_new_champion_scores_the_newest_week_again(world: World, mlflow: Mlflow) -> None:
    older = Batch("us-nj", "2026-11-09")
    for batch in (older, BATCH):
        world.put_activity(batch)
        world.run(batch)
    _, first = tick(world, new_champion, registry=world.registry)
    assert first.run_requests == []
    _, second = tick(world, new_champion, first.cursor, registry=world.registry)
    assert second.run_requests == []
    mlflow.champions["churn-default"] = "2"
    _, third = tick(world, new_champion, second.cursor, registry=world.registry)
    [request] = third.run_requests
    assert request.partition_key == BATCH.partition_key
    former = world.published()[BATCH.slot]
    assert world.run(BATCH, request.run_config["ops"], "rescore").success
    assert world.published()[BATCH.slot] != former
    _, fourth = tick(world, new_champion, third.cursor, registry=world.registry)
    assert fourth.run_requests == []


def test_new_champion_leaves_a_market_alone_that_has_its_own(world: World, mlflow: Mlflow) -> None:
    world.put_activity(BATCH)
    world.run(BATCH)
    mlflow.champions["churn-us-nj"] = "3"
    _, first = tick(world, new_champion, registry=world.registry)
    mlflow.champions["churn-default"] = "2"
    _, second = tick(world, new_champion, first.cursor, registry=world.registry)
    assert second.run_requests == []


def test_new_champion_starts_nothing_unless_somebody_switches_it_on() -> None:
    assert new_champion.default_status is dg.DefaultSensorStatus.STOPPED


class Receiver:
    """A webhook that can be away, from once it has so many notices."""

    def __init__(self) -> None:
        self.most = 100
        self.bodies: list[dict[str, Any]] = []
        self.server = Answering(self.answer)

    def answer(self, _: str, __: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if len(self.bodies) >= self.most:
            return 503, {}
        self.bodies.append(json.loads(body))
        return 200, {}

    @property
    def runs(self) -> list[str]:
        return [told["run"] for told in self.bodies]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.close()


def tell(world: World, cursor: str | None, receiver: Receiver) -> str:
    """One tick; where the next one begins."""
    _, result = tick(world, failed_runs, cursor, notifier=Notifier(webhook_url=receiver.server.url))
    return result.cursor


def fail_runs(world: World, count: int) -> list[str]:
    runs = []
    for _ in range(count):
        world.plan(score=[1])
        runs.append(world.run(BATCH).run_id)
    return runs


def test_failed_runs_tells_reason_run_partition_and_step(world: World, receiver: Receiver) -> None:
    cursor = tell(world, None, receiver)
    world.put_activity(BATCH)
    [run] = fail_runs(world, 1)
    tell(world, cursor, receiver)
    [told] = receiver.bodies
    assert told["run"] == run
    assert told["job"] == "weekly_batch"
    assert told["partition"] == str(BATCH.partition_key)
    assert told["step"] == "predictions"
    assert told["will_retry"] is False
    assert "score was told to fail" in told["reason"]
    assert run in told["text"]


def test_failed_runs_tells_of_a_blocking_check(world: World, receiver: Receiver) -> None:
    cursor = tell(world, None, receiver)
    world.put_activity(BATCH, players=10, bad=10)
    world.run(BATCH)
    tell(world, cursor, receiver)
    [told] = receiver.bodies
    assert "enough_good_lines" in told["reason"]


def test_failed_runs_loses_no_notice_while_the_receiver_is_away(
    world: World, receiver: Receiver
) -> None:
    world.put_activity(BATCH)
    cursor = tell(world, None, receiver)
    runs = fail_runs(world, 3)
    receiver.most = 0
    with pytest.raises(TroubleError, match="could not be delivered"):
        tell(world, cursor, receiver)
    receiver.most = 1
    after_first = tell(world, cursor, receiver)
    assert receiver.runs == runs[:1]
    receiver.most = 100
    after_all = tell(world, after_first, receiver)
    assert receiver.runs == runs
    assert tell(world, after_all, receiver) == after_all
    assert receiver.runs == runs


def test_failed_runs_without_a_webhook_goes_on(world: World) -> None:
    world.put_activity(BATCH)
    _, first = tick(world, failed_runs, notifier=Notifier())
    fail_runs(world, 1)
    _, second = tick(world, failed_runs, first.cursor, notifier=Notifier())
    assert int(second.cursor) > int(first.cursor)


def test_a_webhooks_address_is_not_in_its_error() -> None:
    notice = Notice("job", "run", None, None, "why", False, 0)
    with pytest.raises(TroubleError) as caught:
        Notifier(webhook_url="http://127.0.0.1:9/secret-token").deliver(notice)
    assert "secret-token" not in f"{caught.value}{caught.value.__cause__}"
