"""How is a file of rows scored that somebody put into the bucket?"""

import dagster as dg

from .commands import Commands
from .config import SETTINGS
from .errors import RefusedError, step_failures
from .objects import Bucket
from .registry import Registry
from .weekly import RETRIES

LANDING = "landing/rows/"
RESULTS = "batch/rows/"


class RowsConfig(dg.Config):
    # Of an object under landing/rows/, as the sensor saw it.
    key: str
    etag: str


@dg.asset(group_name="rows", kinds={"typescript", "parquet"}, retry_policy=RETRIES)
def row_scores(
    context: dg.AssetExecutionContext,
    config: RowsConfig,
    bucket: Bucket,
    registry: Registry,
    commands: Commands,
) -> dg.MaterializeResult:
    """
    Scores one object into batch/rows/<its key>.parquet. The folder landing/rows/MARKET/ says whose
    model scores; elsewhere it is the one that serves every market.
    """
    with step_failures():
        name = config.key.removeprefix(LANDING)
        if name == config.key or name == "":
            raise RefusedError(f"{config.key} does not lie under {LANDING}")
        refuse_another(bucket, config)
        market = market_of(name)
        version = registry.serving(market or "default")
        target = bucket.uri(f"{RESULTS}{name}.parquet")
        rejects = bucket.uri(f"{RESULTS}{name}.rejects.jsonl")
        summary = commands.score(
            context,
            bucket.uri(config.key),
            *("--model", version.uri),
            *("--to", target),
            *("--rejects", rejects),
            *(("--market", market) if market else ()),
        )
        refuse_another(bucket, config)
    return dg.MaterializeResult(
        metadata={
            "source": bucket.uri(config.key),
            "model": version.uri,
            "scores": target,
            "rows_in": summary["rowsIn"],
            "scored": summary["scored"],
            "rejected": summary["rejected"],
            "rejects": dg.MetadataValue.json(summary["rejects"]),
        },
        data_version=dg.DataVersion(summary["outputSha256"]),
    )


def market_of(name: str) -> str | None:
    """The first folder, where it is a market."""
    folder, slash, _ = name.partition("/")
    return folder if slash and folder in SETTINGS.markets else None


def refuse_another(bucket: Bucket, config: RowsConfig) -> None:
    found = bucket.look(config.key)
    if found is None or found.etag != config.etag:
        what = "is gone" if found is None else "was replaced"
        raise RefusedError(
            f"{bucket.uri(config.key)} {what} since it was seen; a new object has a run of its own"
        )
