"""python -m churn_training: trains, checks, registers. The last line of stdout is the result."""

import argparse
import contextlib
import json
import os
import re
import sys
import time
from pathlib import Path

from .errors import TrainingError

MARKET = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="churn_training", description="Trains a churn model and registers it in MLflow."
    )
    parser.add_argument("--data", type=Path, required=True, help="training set: CSV, may be .gz")
    parser.add_argument("--market", type=market, default="default", help="a market, or default")
    parser.add_argument("--name", help="registered model; churn-<market> if left out")
    parser.add_argument("--champion", action="store_true", help="make the version champion")
    parser.add_argument("--seed", type=int, default=7)
    return parser.parse_args(arguments)


def market(text: str) -> str:
    if not MARKET.fullmatch(text):
        raise argparse.ArgumentTypeError("lower-case letters, digits and hyphens")
    return text


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        # Libraries print to stdout as they please; the result must stand there alone.
        with contextlib.redirect_stdout(sys.stderr):
            result = run(options)
    except TrainingError as error:
        say(str(error))
        return 1
    print(json.dumps(result), flush=True)
    return 0


def run(options: argparse.Namespace) -> dict[str, object]:
    started = time.monotonic()
    # XGBoost's threads otherwise spin while they wait: four times slower beside other programs.
    # It is read once, when the library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Imported late: a mistyped option is answered at once, not after seconds of loading.
    from .pipeline import train_model
    from .register import check_reachable, register

    uri = check_reachable()
    trained = train_model(options.data, options.market, options.seed, say)
    say(f"registering in MLflow at {uri}")
    registered = register(trained, options.name or f"churn-{options.market}", options.champion)
    return {
        "name": registered.name,
        "version": registered.version,
        "auc": trained.metrics["auc"],
        "rows": trained.params["rows"],
        "parityMaxDifference": trained.parity.max_difference,
        "parityRows": trained.parity.rows,
        "artifactLocation": registered.artifact_location,
        "seconds": round(time.monotonic() - started, 1),
    }


def say(line: str) -> None:
    print(f"training: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
