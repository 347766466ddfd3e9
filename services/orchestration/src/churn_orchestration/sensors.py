"""What starts a run, or is told, without anybody asking?"""

import json
from datetime import UTC, datetime

import dagster as dg

from .config import SETTINGS
from .errors import TroubleError
from .landing_watch import Watch, look_around
from .notices import SHOWN_CHARACTERS, Notice, Notifier
from .objects import Bucket
from .partitions import Batch, batch_of
from .registry import FALLBACK, Registry, model_of
from .rows import LANDING
from .weekly import features

MOST_AT_ONCE = 50
REASON_TAG = "churnstream/reason"


@dg.sensor(
    job_name="score_rows",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def new_rows(context: dg.SensorEvaluationContext, bucket: Bucket) -> dg.SensorResult:
    """One run for each object under landing/rows/, by its key and ETag, once it is whole."""
    watch = Watch(**json.loads(context.cursor)) if context.cursor else Watch({}, {})
    looked = look_around(
        watch, bucket.listing(LANDING), datetime.now(UTC), SETTINGS.settle_seconds, MOST_AT_ONCE
    )
    for key in looked.unknown:
        context.log.warning(f"{bucket.uri(key)} is of no kind that can be scored; left alone")
    requests = [
        dg.RunRequest(
            # For ever: a lost cursor starts nothing twice.
            run_key=f"{found.key}@{found.etag}",
            run_config=dg.RunConfig(
                ops={"row_scores": {"config": {"key": found.key, "etag": found.etag}}}
            ),
            tags={REASON_TAG: "new object", "churnstream/key": found.key},
        )
        for found in looked.ready
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=(
            None if requests else dg.SkipReason(f"nothing new; {looked.waiting} not settled yet")
        ),
        cursor=json.dumps({"seen": looked.watch.seen, "taken": looked.watch.taken}),
    )


@dg.sensor(
    job_name="rescore",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def new_champion(context: dg.SensorEvaluationContext, registry: Registry) -> dg.SensorResult:
    """
    When the champion of a market changes, its newest week that has features is scored again with
    the new version and published. Off until somebody starts it: who promotes may want to wait for
    the next week.
    """
    before: dict[str, str] = json.loads(context.cursor) if context.cursor else {}
    names = [FALLBACK, *(model_of(market) for market in SETTINGS.markets)]
    champions = {name: registry.champion(name) for name in names}
    requests = []
    for market, batch in newest_batches(context.instance).items():
        version = champions[model_of(market)] or champions[FALLBACK]
        if version is None:
            continue
        was = before.get(model_of(market)) or before.get(FALLBACK)
        # Nothing is known before the first tick.
        if was is None or was == version.uri:
            continue
        requests.append(
            dg.RunRequest(
                partition_key=batch.partition_key,
                run_key=f"{batch.slot}@{version.uri}@{was}",
                run_config=dg.RunConfig(ops={"predictions": {"config": {"model": version.uri}}}),
                tags={REASON_TAG: f"champion {was} became {version.uri}"},
            )
        )
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("no champion changed"),
        cursor=json.dumps({name: v.uri for name, v in champions.items() if v is not None}),
    )


def newest_batches(instance: dg.DagsterInstance) -> dict[str, Batch]:
    """By market, of the batches whose features are there."""
    newest: dict[str, Batch] = {}
    for key in instance.get_materialized_partitions(features.key):
        batch = batch_of(key)
        if batch.market not in newest or batch.week > newest[batch.market].week:
            newest[batch.market] = batch
    return newest


@dg.sensor(
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def failed_runs(context: dg.SensorEvaluationContext, notifier: Notifier) -> dg.SensorResult:
    """
    Tells of every failed run: into the log, and to the webhook. Not Dagster's run_failure_sensor,
    which goes on to the next run when its function raises: the notice would be lost. This cursor
    moves behind a failure only once its notice was delivered, and the next tick begins there.
    """
    if context.cursor is None:
        [newest] = context.instance.fetch_run_status_changes(
            dg.DagsterEventType.RUN_FAILURE, limit=1
        ).records or [None]
        return dg.SensorResult(
            skip_reason=dg.SkipReason("failures from now on are told"),
            cursor=str(newest.storage_id if newest else 0),
        )
    told = 0
    cursor = context.cursor
    for record in context.instance.fetch_run_status_changes(
        dg.RunStatusChangeRecordsFilter(
            event_type=dg.DagsterEventType.RUN_FAILURE, after_storage_id=int(cursor)
        ),
        limit=MOST_AT_ONCE,
        ascending=True,
    ).records:
        notice = notice_of(context.instance, record)
        context.log.error(notice.text)
        try:
            notifier.deliver(notice)
        except TroubleError as error:
            # A tick that fails keeps no cursor: what was told already would be told again.
            if told == 0:
                raise
            context.log.error(str(error))
            break
        cursor = str(record.storage_id)
        told += 1
    return dg.SensorResult(skip_reason=dg.SkipReason(f"{told} failures told"), cursor=cursor)


def notice_of(instance: dg.DagsterInstance, record: dg.EventLogRecord) -> Notice:
    entry = record.event_log_entry
    run = instance.get_run_by_id(entry.run_id)
    tags = {} if run is None else run.tags
    failures = [
        one.event_log_entry
        for one in instance.get_records_for_run(
            entry.run_id, of_type=dg.DagsterEventType.STEP_FAILURE
        ).records
    ]
    step = failures[0] if failures else None
    return Notice(
        job=entry.job_name or "a deleted job",
        run=entry.run_id,
        partition=tags.get("dagster/partition"),
        step=None if step is None else step.step_key,
        reason=reason_of(entry if step is None else step)[:SHOWN_CHARACTERS],
        will_retry=tags.get("dagster/will_retry") == "true",
        at=entry.timestamp,
    )


def reason_of(entry: dg.EventLogEntry) -> str:
    event = entry.dagster_event
    data = event.event_specific_data
    user_data = getattr(data, "user_failure_data", None)
    error = getattr(data, "error", None)
    if user_data is not None and user_data.description:
        return user_data.description
    if error is not None:
        return (error.cause or error).message.strip()
    return event.message or entry.user_message
