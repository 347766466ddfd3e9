"""What must hold of a batch, and what should be looked at?"""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from .commands import Commands
from .config import SETTINGS
from .drift import measure_drift
from .errors import step_failures
from .objects import Bucket
from .partitions import Batch, batch_of, newest_week
from .registry import Registry, Version
from .score_store import ScoreStore
from .weekly import (
    RETRIES,
    SCORES,
    VALIDATION,
    predictions,
    published_scores,
    validated_input,
)

MOST_BAD = 0.05
PARITY_ROWS = 500
# After the end of the week.
PUBLISHED_WITHIN = timedelta(hours=36)


def check(of: dg.AssetsDefinition, blocking: bool = False) -> Any:  # noqa: ANN401
    return dg.asset_check(asset=of, blocking=blocking, retry_policy=RETRIES)


def checked_batch(context: dg.AssetCheckExecutionContext) -> Batch:
    """A check has no partition of its own; the run that it is part of has."""
    return batch_of(context.run.tags["dagster/partition"])


@check(validated_input, blocking=True)
def enough_good_lines(
    context: dg.AssetCheckExecutionContext, bucket: Bucket
) -> dg.AssetCheckResult:
    """There is something to score, and at most one line in twenty is bad."""
    with step_failures():
        counts = bucket.read_json(checked_batch(context).key(VALIDATION))
    good = counts["lines"] - sum(counts["bad"].values())
    return dg.AssetCheckResult(
        passed=good > 0 and counts["badShare"] <= MOST_BAD,
        description=f"{good} good lines of {counts['lines']}; bad: {counts['bad'] or 'none'}",
        metadata={"bad_share": counts["badShare"], "most": MOST_BAD},
    )


@check(predictions, blocking=True)
def every_row_is_accounted_for(
    context: dg.AssetCheckExecutionContext, bucket: Bucket, score_store: ScoreStore
) -> dg.AssetCheckResult:
    """Rows in = scored + rejected, and PostgreSQL holds just the scored, one for each player."""
    with step_failures():
        made = bucket.read_json(checked_batch(context).key(SCORES))
        stored = score_store.stored(made["batchId"])
    summary = made["summary"]
    rows, scored, rejected = summary["rowsIn"], summary["scored"], summary["rejected"]
    holds = rows == scored + rejected and stored.rows == stored.players == scored > 0
    return dg.AssetCheckResult(
        passed=holds,
        description=f"{rows} in, {scored} scored, {rejected} rejected, "
        f"{stored.rows} stored for {stored.players} players",
        metadata={"rejects": dg.MetadataValue.json(summary["rejects"])},
    )


@check(predictions)
def scores_are_spread_as_at_training(
    context: dg.AssetCheckExecutionContext, bucket: Bucket, registry: Registry
) -> dg.AssetCheckResult:
    """A reason to look, never a reason to hold scores back."""
    with step_failures():
        made = bucket.read_json(checked_batch(context).key(SCORES))
        key = registry.artifact_key(Version(**made["model"]), "reference_profile.json", bucket)
        reference = bucket.read_json(key)["score"]
        drift = measure_drift(
            made["summary"]["score"]["histogram"], reference["shares"], reference["count"]
        )
    return dg.AssetCheckResult(
        passed=drift.verdict in ("steady", "insufficient-data"),
        severity=(
            dg.AssetCheckSeverity.ERROR
            if drift.verdict == "far-shifted"
            else dg.AssetCheckSeverity.WARN
        ),
        description=f"{drift.verdict}: PSI {drift.psi:.4f}, by chance up to {drift.threshold:.4f}",
        metadata={"psi": drift.psi, "threshold": drift.threshold, "verdict": drift.verdict},
    )


@check(predictions, blocking=True)
def scores_are_xgboosts_own(
    context: dg.AssetCheckExecutionContext, bucket: Bucket, registry: Registry, commands: Commands
) -> dg.AssetCheckResult:
    """A sample of the stored scores, computed again by XGBoost from the version's trees."""
    with step_failures(), tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        made = bucket.read_json(checked_batch(context).key(SCORES))
        version = Version(**made["model"])
        for file in ("columns.json", "xgboost/model.json"):
            (folder / file).parent.mkdir(exist_ok=True)
            bucket.download(registry.artifact_key(version, file, bucket), folder / file)
        vectors = folder / Path(made["vectors"]).name
        bucket.download(made["vectors"].removeprefix(bucket.uri("")), vectors)
        bucket.download(made["key"], folder / "scores.parquet")
        compared = commands.compare_scores(
            *("--model", str(folder)),
            *("--vectors", str(vectors)),
            *("--scores", str(folder / "scores.parquet")),
            *("--rows", str(PARITY_ROWS)),
        )
    return dg.AssetCheckResult(
        passed=compared["maxDifference"] <= compared["tolerance"],
        description=f"at most {compared['maxDifference']:.2e} apart over {compared['rows']} rows, "
        f"allowed {compared['tolerance']:.0e}",
        metadata={"rows": compared["rows"], "max_difference": compared["maxDifference"]},
    )


@dg.asset_check(asset=published_scores)
def newest_week_is_published(score_store: ScoreStore) -> dg.AssetCheckResult:
    """
    Dagster's own freshness policies take any materialization, also that of an old week, for news.
    This one asks for the newest week of every market that was ever published.
    """
    with step_failures():
        published = score_store.published_weeks()
    due = newest_week(datetime.now(UTC) - PUBLISHED_WITHIN)
    late = {
        market: week
        for market, week in published.items()
        if due is not None and week < due and market in SETTINGS.markets
    }
    return dg.AssetCheckResult(
        passed=not late,
        description=f"late since {due}: {late}" if late else f"{len(published)} markets, due {due}",
        metadata={"due": due or "none", "published": dg.MetadataValue.json(published)},
    )


CHECKS = [
    enough_good_lines,
    every_row_is_accounted_for,
    scores_are_spread_as_at_training,
    scores_are_xgboosts_own,
    newest_week_is_published,
]
