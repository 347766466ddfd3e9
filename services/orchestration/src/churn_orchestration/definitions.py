"""What does Dagster run here: which assets, checks, jobs, schedules and sensors?"""

import dagster as dg

from .checks import CHECKS, newest_week_is_published
from .config import SETTINGS, optional
from .notices import Notifier
from .objects import Bucket
from .partitions import Batch, newest_week
from .registry import Registry
from .retraining.asked import Asked
from .retraining.commands import RetrainingCommands
from .retraining.jobs import (
    calendar,
    retraining,
    retraining_every_week,
    retraining_requests,
    trial,
    trials,
)
from .retraining.ledger import Ledger
from .retraining.promotion import promotion
from .retraining.steps import STEPS
from .retraining.topics import Topics
from .rows import row_scores
from .score_store import ScoreStore
from .sensors import REASON_TAG, failed_runs, new_champion, new_rows
from .weekly import features, predictions, published_scores, raw_input, validated_input

# The steps of a batch follow one another: a process for each would only cost memory.
IN_ONE_PROCESS = dg.in_process_executor
# When its worker died. What was done is done again under the same names and adds nothing.
FROM_THE_START = {"dagster/retry_strategy": "ALL_STEPS"}
WEEKLY = [raw_input, validated_input, features, predictions, published_scores]
WEEKLY_CHECKS = [check for check in CHECKS if check is not newest_week_is_published]

weekly_batch = dg.define_asset_job(
    "weekly_batch",
    selection=dg.AssetSelection.assets(*WEEKLY).without_checks()
    | dg.AssetSelection.checks(*WEEKLY_CHECKS),
    executor_def=IN_ONE_PROCESS,
    tags=FROM_THE_START,
)
rescore = dg.define_asset_job(
    "rescore",
    selection=dg.AssetSelection.assets(predictions, published_scores).without_checks()
    | dg.AssetSelection.checks_for_assets(predictions),
    executor_def=IN_ONE_PROCESS,
    tags=FROM_THE_START,
)
score_rows = dg.define_asset_job(
    "score_rows", selection=[row_scores], executor_def=IN_ONE_PROCESS, tags=FROM_THE_START
)
freshness = dg.define_asset_job(
    "freshness",
    selection=dg.AssetSelection.checks(newest_week_is_published),
    executor_def=IN_ONE_PROCESS,
)


@dg.schedule(
    job=weekly_batch,
    cron_schedule=SETTINGS.cron,
    execution_timezone=SETTINGS.time_zone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def every_week(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
    """A run for each market, so that one that fails stops no other."""
    week = newest_week(context.scheduled_execution_time)
    if week is None:
        return dg.SkipReason(f"the first week, {SETTINGS.first_week}, has not ended")
    return [
        dg.RunRequest(
            partition_key=batch.partition_key, run_key=batch.slot, tags={REASON_TAG: "schedule"}
        )
        for batch in (Batch(market, week) for market in SETTINGS.markets)
    ]


every_day = dg.ScheduleDefinition(
    name="freshness_every_day",
    job=freshness,
    cron_schedule="0 9 * * *",
    execution_timezone=SETTINGS.time_zone,
    default_status=dg.DefaultScheduleStatus.STOPPED,
)


@dg.definitions
def definitions() -> dg.Definitions:
    """Addresses are looked up when something runs: loading needs no server."""
    return dg.Definitions(
        assets=[*WEEKLY, row_scores, *STEPS, promotion],
        asset_checks=CHECKS,
        jobs=[weekly_batch, rescore, score_rows, freshness, retraining, trial, calendar],
        schedules=[every_week, every_day, retraining_every_week],
        sensors=[new_rows, new_champion, failed_runs, retraining_requests, trials],
        resources={
            "bucket": Bucket(name=dg.EnvVar("S3_BUCKET"), endpoint=optional("S3_ENDPOINT")),
            "registry": Registry(tracking_uri=dg.EnvVar("MLFLOW_TRACKING_URI")),
            "score_store": ScoreStore(database_url=dg.EnvVar("DATABASE_URL")),
            "commands": RetrainingCommands(
                home=str(SETTINGS.home), training_python=optional("TRAINING_PYTHON")
            ),
            "notifier": Notifier(webhook_url=optional("NOTIFY_WEBHOOK_URL")),
            "asked": Asked.configure_at_launch(),
            "ledger": Ledger(tracking_uri=dg.EnvVar("MLFLOW_TRACKING_URI")),
            "topics": Topics(
                bootstrap_servers=dg.EnvVar("KAFKA_BOOTSTRAP_SERVERS"),
                registry_url=dg.EnvVar("SCHEMA_REGISTRY_URL"),
            ),
        },
    )
