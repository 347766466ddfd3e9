"""What the sensor makes of records, and the schedule of the calendar."""

import io
import json
import time
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import fastavro
import pytest

from churn_orchestration.config import SETTINGS
from churn_orchestration.definitions import definitions
from churn_orchestration.errors import TroubleError
from churn_orchestration.retraining.asked import parse_request
from churn_orchestration.retraining.jobs import (
    calendar_request,
    retraining_every_week,
    retraining_requests,
)
from churn_orchestration.retraining.topics import Found, Read, Topics, topic_of

from .retraining_world import ASKED_AT, MODEL, Registered, RetrainingWorld

SCHEMA = json.loads((SETTINGS.home / "schemas/avro/retraining-request.avsc").read_text())


def record(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "modelName": MODEL,
        "market": "gb",
        "reason": "asked-for",
        "evidence": '{"why": "a new season"}',
        "requestedAt": datetime.fromtimestamp(ASKED_AT / 1000, UTC),
        "cooldownUntil": datetime.fromtimestamp(ASKED_AT / 1000, UTC),
        "requestedBy": "person",
        **fields,
    }


class Written(Topics):
    """What stands in the topic, in place of Kafka."""

    records: list[Any]
    lost: int = 0

    def read(self, _: str, after: dict[int, int], most: int) -> Found:
        start = after.get(0, 0)
        chosen = [Read(*fields) for fields in self.records[start : start + most]]
        return Found(chosen, {0: start + len(chosen)}, self.lost)


def written(*values: Any, age_days: float = 0, lost: int = 0) -> Written:  # noqa: ANN401
    at = round((time.time() - age_days * 86_400) * 1000)
    # Resources are JSON to Dagster.
    instants = {"requestedAt": ASKED_AT, "cooldownUntil": ASKED_AT}
    records = [
        (0, offset, at, {**value, **instants}, None)
        if isinstance(value, dict)
        else (0, offset, at, None, value)
        for offset, value in enumerate(values)
    ]
    return Written(bootstrap_servers="", registry_url="", records=records, lost=lost)


def tick(loop: RetrainingWorld, topics: Topics, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=loop.instance, cursor=cursor)
    return retraining_requests(context, topics=topics, notifier=loop.notifier)


def test_each_record_asks_for_one_run(loop: RetrainingWorld) -> None:
    topics = written(record(), record(reason="calendar", requestedBy="schedule"))
    first = tick(loop, topics)
    assert [request.run_key for request in first.run_requests] == [
        f"{MODEL}@0-{ASKED_AT}",
        f"{MODEL}@1-{ASKED_AT}",
    ]
    assert first.run_requests[0].partition_key == "gb"
    assert json.loads(first.cursor) == {"0": 2}
    assert tick(loop, topics, first.cursor).run_requests == []


def test_what_is_asked_for_runs(loop: RetrainingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = ("KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL")
    for name in ("S3_BUCKET", "MLFLOW_TRACKING_URI", *servers):
        monkeypatch.setenv(name, "here")
    [request] = tick(loop, written(record())).run_requests
    config = request.run_config["resources"]["asked"]["config"]
    assert loop.retrain(**config).success
    job = definitions().resolve_job_def("retraining")
    assert dg.validate_run_config(job, {**request.run_config})


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("it does not decode with schema 7: EOFError", "EOFError"),
        (record(market="us-nj"), "is not that of the market us-nj"),
        (record(modelName="churn-mars", market="mars"), "market mars is unknown"),
        (record(evidence="[1]"), "its evidence is no JSON object"),
    ],
)
def test_what_cannot_be_read_is_told_of_and_stepped_over(
    bad: Any,  # noqa: ANN401
    why: str,
    loop: RetrainingWorld,
) -> None:
    result = tick(loop, written(bad, record()))
    assert [request.run_key for request in result.run_requests] == [f"{MODEL}@1-{ASKED_AT}"]
    assert json.loads(result.cursor) == {"0": 2}
    [told] = loop.told()
    assert "at offset 0 of partition 0 is stepped over" in told
    assert why in told


def test_a_receiver_that_is_away_holds_up_no_request(loop: RetrainingWorld) -> None:
    (loop.folder / "told.jsonl.away").touch()
    assert len(tick(loop, written("broken", record())).run_requests) == 1


def test_a_request_that_waited_too_long_is_told_of_and_not_run(loop: RetrainingWorld) -> None:
    result = tick(loop, written(record(), age_days=8))
    assert result.run_requests == []
    assert "older than 7 days" in loop.told()[0]


def test_requests_that_retention_took_are_told_of(loop: RetrainingWorld) -> None:
    tick(loop, written(lost=3))
    assert loop.told() == ["3 retraining requests were deleted before they ran"]


def test_kafka_away_fails_the_tick_and_moves_no_cursor() -> None:
    topics = Topics(bootstrap_servers="127.0.0.1:1", registry_url="http://127.0.0.1:1")
    with pytest.raises(TroubleError):
        topics.read("retrainingRequests", {}, 1)


def test_decode_tells_what_is_wrong_with_bytes() -> None:
    topics = Topics(bootstrap_servers="", registry_url="http://127.0.0.1:1")
    parsed = fastavro.parse_schema(SCHEMA)
    out = io.BytesIO()
    out.write(b"\x00\x00\x00\x00\x07")
    fastavro.schemaless_writer(out, parsed, record())
    schemas = {7: parsed, 8: None}
    value, problem = topics._decode(out.getvalue(), schemas)
    assert problem is None
    assert value["requestedAt"] == datetime.fromtimestamp(ASKED_AT / 1000, UTC)
    for bytes_, why in (
        (None, "not of Confluent's format"),
        (b"{}", "not of Confluent's format"),
        (b"\x01\x00\x00\x00\x07rest", "not of Confluent's format"),
        (b"\x00\x00\x00\x00\x08rest", "knows no schema 8"),
        (out.getvalue()[:20], "does not decode with schema 7"),
    ):
        value, problem = topics._decode(bytes_, schemas)
        assert value is None
        assert why in problem


def test_parse_request_takes_instants_as_avro_gives_them() -> None:
    asked = parse_request(record(), 3)
    assert (asked.requested_at, asked.id) == (ASKED_AT, f"3-{ASKED_AT}")


def test_topic_of_is_what_topology_derives() -> None:
    assert topic_of("retrainingRequests")["record"] == "retraining-request"


def test_the_calendar_asks_as_the_schema_says() -> None:
    out = io.BytesIO()
    fastavro.schemaless_writer(
        out, fastavro.parse_schema(SCHEMA), calendar_request("churn-default", ASKED_AT)
    )
    assert out.tell() > 0


def test_the_calendar_writes_for_each_model_with_a_champion(
    loop: RetrainingWorld, registered: Registered
) -> None:
    class Writing(Topics):
        file: str

        def write(self, topic_id: str, key: str, value: Any) -> int:  # noqa: ANN401
            with open(self.file, "a") as lines:  # noqa: PTH123
                lines.write(f"{topic_id} {key} {value['requestedBy']} {value['requestedAt']}\n")
            return 0

    registered.add_version("churn-default")
    registered.set_alias("churn-default", "champion", "1")
    registered.add_version("churn-us-nj")
    registered.add_version("churn-elsewhere")
    registered.set_alias("churn-elsewhere", "champion", "1")
    at = datetime(2026, 11, 24, 4, tzinfo=UTC)
    asked = retraining_every_week(
        dg.build_schedule_context(scheduled_execution_time=at, repository_def=None)
    )
    file = loop.folder / "written.txt"
    result = (
        definitions()
        .resolve_job_def("calendar")
        .execute_in_process(
            run_config=asked.run_config,
            resources={
                "ledger": loop.ledger,
                "topics": Writing(bootstrap_servers="", registry_url="", file=str(file)),
            },
        )
    )
    assert result.success
    at_ms = round(at.timestamp() * 1000)
    assert sorted(file.read_text().splitlines()) == [
        f"retrainingRequests {name} schedule {at_ms}" for name in ("churn-default", MODEL)
    ]
