"""What starts a retraining, and what ends a trial, without anybody launching a run?"""

import json
import time
from collections.abc import Mapping
from datetime import datetime

import dagster as dg

from ..config import SETTINGS
from ..errors import TroubleError, step_failures
from ..notices import Notifier
from ..sensors import REASON_TAG
from ..weekly import RETRIES
from .asked import MARKETS, SCHEDULE, Asked, parse_request
from .ledger import Ledger, Model
from .promotion import promotion
from .settings import RETRAINING
from .steps import STEPS
from .topics import Read, Topics
from .trial import decide_trial

REQUESTS = "retrainingRequests"
MOST_AT_ONCE = 10
# A request that nobody took up for so long, by the wall clock, speaks of another world.
STALE_DAYS = 7
DAY_MS = 86_400_000
# After a run that failed, so long before the next.
FAILED_SECONDS = 600
ONE_PROCESS = dg.in_process_executor
FROM_THE_START = {"dagster/retry_strategy": "ALL_STEPS"}

retraining = dg.define_asset_job(
    "retraining", selection=STEPS, executor_def=ONE_PROCESS, tags=FROM_THE_START
)
trial = dg.define_asset_job(
    "trial", selection=[promotion], executor_def=ONE_PROCESS, tags=FROM_THE_START
)


@dg.sensor(
    job=retraining,
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def retraining_requests(
    context: dg.SensorEvaluationContext, topics: Topics, notifier: Notifier
) -> dg.SensorResult:
    """
    One run for each record. The cursor holds the next offset of each partition; a record that
    cannot be read, or that waited too long, is told of and stepped over.
    """
    after = {int(p): int(o) for p, o in json.loads(context.cursor or "{}").items()}
    found = topics.read(REQUESTS, after, MOST_AT_ONCE)
    if found.lost > 0:
        tell(context, notifier, f"{found.lost} retraining requests were deleted before they ran")
    requests = []
    for record in found.records:
        asked = readable(record)
        if isinstance(asked, Asked):
            requests.append(run_of(asked))
            continue
        place = f"retraining request at offset {record.offset} of partition {record.partition}"
        tell(context, notifier, f"{place} is stepped over: {asked}")
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("nobody asks"),
        cursor=json.dumps(found.next),
    )


def readable(record: Read) -> Asked | str:
    """What is asked for, or why nothing is."""
    if record.value is None:
        return record.problem or "it is empty"
    if time.time() * 1000 - record.written_at > STALE_DAYS * DAY_MS:
        return f"it is older than {STALE_DAYS} days; ask again"
    try:
        return parse_request(record.value, record.offset)
    except (ValueError, KeyError, TypeError) as error:
        return str(error)


def run_of(asked: Asked) -> dg.RunRequest:
    config = {
        "model": asked.model,
        "market": asked.market,
        "reason": asked.reason,
        "evidence": asked.evidence,
        "requested_at": asked.requested_at,
        "requested_by": asked.requested_by,
        "offset": asked.offset,
    }
    return dg.RunRequest(
        partition_key=asked.market,
        # For ever: a lost cursor starts nothing twice.
        run_key=f"{asked.model}@{asked.id}",
        run_config={"resources": {"asked": {"config": config}}},
        tags={REASON_TAG: f"{asked.reason}, asked by {asked.requested_by}"},
    )


def tell(context: dg.SensorEvaluationContext, notifier: Notifier, text: str) -> None:
    """A receiver that is away must not hold up the requests behind."""
    context.log.error(text)
    try:
        notifier.tell("a notice", {"text": text})
    except TroubleError as error:
        context.log.error(str(error))


@dg.sensor(
    job=trial,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def trials(context: dg.SensorEvaluationContext, ledger: Ledger) -> dg.SensorResult:
    """A run for each challenger whose trial is at its end, or for which a person must be told."""
    requests, waiting = [], []
    for model in ledger.models():
        if model.challenger is None or model.market not in MARKETS.get_partition_keys():
            continue
        version = ledger.version(model.name, model.challenger)
        decision = decide_trial(
            model, version, RETRAINING.criteria, RETRAINING.policy, time.time() * 1000
        )
        if decision.step == "wait" or is_busy(context.instance, model):
            waiting.append(f"{model.name} {version.version}: {decision.detail}")
            continue
        tags = {REASON_TAG: f"{decision.step}: {decision.reason}"}
        requests.append(dg.RunRequest(partition_key=model.market, tags=tags))
    reason = "; ".join(waiting) or "no challenger"
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else dg.SkipReason(reason)
    )


def is_busy(instance: dg.DagsterInstance, model: Model) -> bool:
    """A run is under way, or one has just failed."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=trial.name, tags={"dagster/partition": model.market}), limit=1
    )
    if not records:
        return False
    run = records[0].dagster_run
    if not run.is_finished:
        return True
    since = time.time() - (records[0].end_time or 0)
    return not run.is_success and since < FAILED_SECONDS


class CalendarConfig(dg.Config):
    # Ms since 1970: nothing that happened later is learned from.
    requested_at: int


@dg.op(retry_policy=RETRIES)
def write_calendar_requests(
    context: dg.OpExecutionContext, config: CalendarConfig, topics: Topics, ledger: Ledger
) -> None:
    """One for each model that has a champion; in its cooldown a request is refused by the guard."""
    with step_failures():
        models = [model for model in ledger.models() if model.champion is not None]
        for model in models:
            if model.market not in MARKETS.get_partition_keys():
                continue
            offset = topics.write(
                REQUESTS, model.name, calendar_request(model.name, config.requested_at)
            )
            context.log.info(f"asked for a new version of {model.name}: offset {offset}")


def calendar_request(model: str, at_ms: int) -> Mapping[str, str | int]:
    return {
        "modelName": model,
        "market": model.removeprefix("churn-"),
        "reason": "calendar",
        "evidence": json.dumps({"schedule": RETRAINING.cron}),
        "requestedAt": at_ms,
        # The monitor keeps a cooldown of its own.
        "cooldownUntil": at_ms,
        "requestedBy": SCHEDULE,
    }


@dg.job(executor_def=ONE_PROCESS)
def calendar() -> None:
    write_calendar_requests()


@dg.schedule(
    job=calendar,
    cron_schedule=RETRAINING.cron,
    execution_timezone=SETTINGS.time_zone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def retraining_every_week(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Asks, as a person or the monitor would; whether it is done is for the guards to say."""
    at: datetime = context.scheduled_execution_time
    config = {"requested_at": round(at.timestamp() * 1000)}
    return dg.RunRequest(
        run_key=at.isoformat(),
        run_config={"ops": {write_calendar_requests.name: {"config": config}}},
        tags={REASON_TAG: "schedule"},
    )
