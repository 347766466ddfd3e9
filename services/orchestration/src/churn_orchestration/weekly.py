"""How does a week of activity become the published scores of a market?"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from hashlib import sha256
from typing import Any

import dagster as dg

from .activity_lines import LineCounts, count_lines
from .commands import Commands
from .config import SETTINGS
from .errors import RefusedError, step_failures
from .objects import Bucket, Listed
from .partitions import BATCHES, Batch, batch_of
from .registry import Registry, Version, parse_version
from .score_store import ScoreStore

GROUP = "weekly"
INPUT, VALIDATION, FEATURES, SCORES, PUBLISHED = (
    f"{name}.json" for name in ("input", "validation", "features", "scores", "published")
)

# Only trouble comes to it: see step_failures. Ten seconds, doubling, five times: five minutes.
RETRIES = dg.RetryPolicy(
    max_retries=5,
    delay=SETTINGS.retry_seconds,
    backoff=dg.Backoff.EXPONENTIAL,
    jitter=dg.Jitter.PLUS_MINUS,
)

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Source(Enum):
    """Lower case: the page and run configuration name the members."""

    landing = "landing"
    sample = "sample"


class RawInputConfig(dg.Config):
    # `landing`: raw activity in the bucket. `sample`: the model's own X_test_sample.json.
    source: Source = Source.landing


class PredictionsConfig(dg.Config):
    # models:/NAME/VERSION; the market's champion when empty.
    model: str = ""


def asset(**options: Any) -> Any:  # noqa: ANN401
    return dg.asset(
        partitions_def=BATCHES, group_name=GROUP, retry_policy=RETRIES, code_version="1", **options
    )


@asset(kinds={"s3"})
def raw_input(
    context: dg.AssetExecutionContext, config: RawInputConfig, bucket: Bucket, registry: Registry
) -> dg.MaterializeResult:
    """Exactly which objects this batch reads: key, ETag and size of each."""
    batch = batch_of(context.partition_key)
    with step_failures():
        document: dict[str, Any] = {
            "source": config.source.value,
            "market": batch.market,
            "week": batch.week,
            "asOf": batch.as_of,
        }
        if config.source is Source.sample:
            version = registry.serving(batch.market)
            document["model"] = version.as_json()
            key = registry.artifact_key(version, "X_test_sample.json", bucket)
            objects = [found for found in [bucket.look(key)] if found is not None]
        else:
            objects = list(activity_objects(bucket, batch))
        if not objects:
            raise RefusedError(
                f"there is nothing to score: no object under {bucket.uri(activity_prefix(batch))} "
                f"of a day before {batch.as_of}"
                if config.source is Source.landing
                else f"there is nothing to score: the model has no {bucket.uri(key)}"
            )
        document["objects"] = [as_entry(found) for found in objects]
        bucket.write_json(batch.key(INPUT), document)
    return dg.MaterializeResult(
        metadata={
            "source": config.source.value,
            "as_of": batch.as_of,
            "objects": len(objects),
            "bytes": sum(found.size for found in objects),
            "manifest": bucket.uri(batch.key(INPUT)),
        },
        data_version=dg.DataVersion(digest_of(document["objects"])),
    )


@asset(deps=[raw_input], kinds={"s3"})
def validated_input(
    context: dg.AssetExecutionContext, bucket: Bucket, registry: Registry
) -> dg.MaterializeResult:
    """Every line read once and counted: bad ones by reason, duplicates, players."""
    batch = batch_of(context.partition_key)
    with step_failures():
        document = bucket.read_json(batch.key(INPUT))
        if document["source"] == Source.sample.value:
            counts = count_sample(bucket, registry, document)
        else:
            counts = count_activity(bucket, batch, document["objects"])
        bucket.write_json(batch.key(VALIDATION), counts)
    return dg.MaterializeResult(
        metadata={
            "lines": counts["lines"],
            "bad_share": counts["badShare"],
            "bad": dg.MetadataValue.json(counts["bad"]),
            "first_bad": dg.MetadataValue.json(counts["firstBad"]),
            "duplicates": counts["duplicates"],
            "players": counts["players"],
        }
    )


@asset(deps=[validated_input], kinds={"typescript", "parquet"})
def features(
    context: dg.AssetExecutionContext, bucket: Bucket, commands: Commands
) -> dg.MaterializeResult:
    """One vector for each player as of the week's end, by the code that serves the stream."""
    batch = batch_of(context.partition_key)
    with step_failures():
        document = bucket.read_json(batch.key(INPUT))
        if document["source"] == Source.sample.value:
            made = write_sample_rows(bucket, batch, document)
        else:
            made = fold_activity(context, bucket, commands, batch, document["objects"])
        bucket.write_json(batch.key(FEATURES), made)
    return dg.MaterializeResult(
        metadata={
            "vectors": bucket.uri(made["key"]),
            "summary": dg.MetadataValue.json(made["summary"]),
        }
    )


@asset(deps=[features], kinds={"typescript", "parquet", "postgres"})
def predictions(
    context: dg.AssetExecutionContext,
    config: PredictionsConfig,
    bucket: Bucket,
    registry: Registry,
    commands: Commands,
) -> dg.MaterializeResult:
    """
    Scored by one version of the model, named before the first row: into a file, and into
    PostgreSQL as a batch that nobody sees yet.
    """
    batch = batch_of(context.partition_key)
    with step_failures():
        version = choose_version(config, bucket.read_json(batch.key(INPUT)), registry, batch)
        vectors = bucket.uri(bucket.read_json(batch.key(FEATURES))["key"])
        scores = batch.key("scores.parquet")
        rejects = bucket.uri(batch.key("rejects.jsonl"))
        rows = ["--as-of", batch.as_of, "--market", batch.market, "--rejects", rejects]
        model = ["--model", version.uri]
        in_file = commands.score(context, vectors, *model, *rows, "--to", bucket.uri(scores))
        in_database = commands.score(
            context, vectors, *model, *rows, "--to", "postgres", "--slot", batch.slot
        )
        if any(in_file[name] != in_database[name] for name in ("inputSha256", "scored")):
            raise RefusedError(
                f"{vectors} was replaced between two readings: run the partition again"
            )
        made = {
            "model": version.as_json(),
            "batchId": in_database["batchId"],
            "vectors": vectors,
            "key": scores,
            "summary": in_database,
        }
        bucket.write_json(batch.key(SCORES), made)
    return dg.MaterializeResult(
        metadata={
            "model": version.uri,
            "batch_id": made["batchId"],
            "rows_in": in_database["rowsIn"],
            "scored": in_database["scored"],
            "rejected": in_database["rejected"],
            "mean_score": in_database["score"]["mean"],
            "scores": bucket.uri(scores),
        },
        data_version=dg.DataVersion(made["batchId"]),
    )


@asset(deps=[predictions], kinds={"postgres"})
def published_scores(
    context: dg.AssetExecutionContext,
    bucket: Bucket,
    commands: Commands,
    score_store: ScoreStore,
) -> dg.MaterializeResult:
    """The slot's readers see the new batch whole from one moment on; the former one stays."""
    batch = batch_of(context.partition_key)
    with step_failures():
        made = bucket.read_json(batch.key(SCORES))
        answer = commands.publish_scores(context, made["batchId"])
        rows = score_store.published_rows(batch.slot, made["batchId"])
        if rows != made["summary"]["scored"]:
            raise RefusedError(
                f"{batch.slot} shows {rows} rows of batch {made['batchId']}, "
                f"{made['summary']['scored']} were scored"
            )
        bucket.write_json(batch.key(PUBLISHED), {**answer, "model": made["model"]})
    return dg.MaterializeResult(
        metadata={
            "slot": batch.slot,
            "rows": rows,
            "model": f"models:/{made['model']['name']}/{made['model']['version']}",
            "batch_id": made["batchId"],
            "previous_batch_id": answer.get("previousBatchId") or "none",
        },
        data_version=dg.DataVersion(made["batchId"]),
    )


def activity_prefix(batch: Batch) -> str:
    return f"landing/activity/{batch.market}/"


def activity_objects(bucket: Bucket, batch: Batch) -> Iterator[Listed]:
    """Of every day that began before the week's end: the fold needs a player's whole history."""
    last_day = (batch.ends_at - timedelta(milliseconds=1)).date().isoformat()
    prefix = activity_prefix(batch)
    for found in bucket.listing(prefix):
        day, _, name = found.key.removeprefix(prefix).partition("/")
        if DAY.fullmatch(day) and day <= last_day and is_whole(name):
            yield found


def is_whole(name: str) -> bool:
    """By its name or path: writers mark what they have not finished."""
    is_marked = any(part.startswith(("_", ".")) for part in name.split("/"))
    return name != "" and not is_marked and not name.endswith((".tmp", ".part"))


def as_entry(found: Listed) -> dict[str, Any]:
    return {"key": found.key, "etag": found.etag, "size": found.size}


def digest_of(objects: list[dict[str, Any]]) -> str:
    return sha256(json.dumps(objects).encode()).hexdigest()


def count_activity(bucket: Bucket, batch: Batch, objects: list[dict[str, Any]]) -> dict[str, Any]:
    counts = LineCounts()
    day, seen = "", set[str]()
    for entry in objects:
        of_day = entry["key"].removeprefix(activity_prefix(batch)).partition("/")[0]
        if of_day != day:
            day, seen = of_day, set()
        with bucket.lines(entry["key"], entry["etag"]) as lines:
            count_lines(counts, seen, entry["key"], batch.market, lines)
    return counts.as_json()


def count_sample(bucket: Bucket, registry: Registry, document: dict[str, Any]) -> dict[str, Any]:
    """A row is bad that has other columns than the model."""
    version = Version(**document["model"])
    columns = bucket.read_json(registry.artifact_key(version, "columns.json", bucket))
    names = {column if isinstance(column, str) else column["name"] for column in columns}
    rows = read_sample(bucket, document)
    bad = [index for index, row in enumerate(rows) if set(row) != names]
    return {
        "lines": len(rows),
        "bad": {"wrong-columns": len(bad)} if bad else {},
        "badShare": len(bad) / len(rows) if rows else 0.0,
        "duplicates": 0,
        "players": len(rows),
        "firstBad": [{"line": index + 1, "reason": "wrong-columns"} for index in bad[:20]],
    }


def read_sample(bucket: Bucket, document: dict[str, Any]) -> list[dict[str, Any]]:
    [entry] = document["objects"]
    with bucket.lines(entry["key"], entry["etag"]) as lines:
        rows = json.loads(b"".join(lines))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RefusedError(f"{bucket.uri(entry['key'])} is no list of rows")
    return rows


def write_sample_rows(bucket: Bucket, batch: Batch, document: dict[str, Any]) -> dict[str, Any]:
    """The rows are vectors already; they only lack players."""
    rows = read_sample(bucket, document)
    key = batch.key("vectors.jsonl")
    lines = (json.dumps({"player_id": f"sample-{i}", **row}) for i, row in enumerate(rows))
    bucket.write(key, "".join(f"{line}\n" for line in lines).encode())
    return {"key": key, "summary": {"vectors": len(rows)}}


def fold_activity(
    context: dg.AssetExecutionContext,
    bucket: Bucket,
    commands: Commands,
    batch: Batch,
    objects: list[dict[str, Any]],
) -> dict[str, Any]:
    """Raises RefusedError when the objects that were folded may not be those of the manifest."""
    key = batch.key("vectors.parquet")
    refuse_changes(bucket, batch, objects)
    summary = commands.replay(
        context,
        "vectors",
        *("--as-of", batch.as_of),
        *("--market", batch.market),
        *("--from-source", bucket.uri(activity_prefix(batch))),
        *("--to-target", bucket.uri(key)),
    )
    refuse_changes(bucket, batch, objects)
    return {"key": key, "summary": summary}


def refuse_changes(bucket: Bucket, batch: Batch, objects: list[dict[str, Any]]) -> None:
    """The fold reads the folder, not the manifest: the two must say the same, before and after."""
    found = [as_entry(one) for one in activity_objects(bucket, batch)]
    changed = {entry["key"] for entry in [*found, *objects] if entry not in found}
    changed |= {entry["key"] for entry in found if entry not in objects}
    if changed:
        raise RefusedError(
            f"{', '.join(sorted(changed)[:5])} changed since the manifest was made "
            f"({len(changed)} in all). Nothing was scored: run the whole partition again, "
            "from raw_input"
        )


def choose_version(
    config: PredictionsConfig, document: dict[str, Any], registry: Registry, batch: Batch
) -> Version:
    if config.model != "":
        return parse_version(config.model)
    if "model" in document:
        return Version(**document["model"])
    return registry.serving(batch.market)
