"""python -m churn_training train|import: the last line of stdout is the version it registered."""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import TrainingError
from .market import MARKET

if TYPE_CHECKING:
    from .artifact import Candidate


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="churn_training", description="Makes churn models and registers them in MLflow."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    train = commands.add_parser("train", help="learn from a labelled history")
    train.set_defaults(make=make_trained)
    train.add_argument("--data", type=Path, required=True, help="training set: CSV, may be .gz")
    train.add_argument("--market", default="default", help="markets/<market>.toml")
    train.add_argument(
        "--variant", default="usual", help="variants/<variant>.toml, or usual: the market's own"
    )
    train.add_argument("--seed", type=int, default=7)
    train.add_argument(
        "--test-days", type=days, metavar="N", help="the newest to test on; 30 %% if left out"
    )

    bring = commands.add_parser("import", help="take a model that was trained elsewhere")
    bring.set_defaults(make=make_imported)
    bring.add_argument("--model", type=Path, required=True, help="JSON or UBJSON of XGBoost")
    bring.add_argument("--sample", type=Path, required=True, help="rows: JSON as pandas, or CSV")
    bring.add_argument("--columns", type=Path, required=True, help="JSON list, or one name a line")
    bring.add_argument("--market", type=market, required=True, help="a market, or default")
    bring.add_argument("--metrics", type=Path, help="JSON object of numbers")
    bring.add_argument(
        "--trees", choices=("best", "all"), default="best", help="after early stopping"
    )
    bring.add_argument("--train-window", metavar="FROM/TO", help="days, 2025-01-01/2025-06-30")

    for command in (train, bring):
        command.add_argument("--name", help="registered model; churn-<market> if left out")
        command.add_argument("--champion", action="store_true", help="make the version champion")
    return parser.parse_args(arguments)


def market(text: str) -> str:
    if not MARKET.fullmatch(text):
        raise argparse.ArgumentTypeError("lower-case letters, digits and hyphens")
    return text


def days(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)


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
    from .register import check_reachable, register

    uri = check_reachable()
    make: Callable[[argparse.Namespace], tuple[Candidate, dict[str, object]]] = options.make
    candidate, facts = make(options)
    say(f"registering in MLflow at {uri}")
    registered = register(candidate, options.name or f"churn-{options.market}", options.champion)
    return {
        "name": registered.name,
        "version": registered.version,
        **facts,
        "parityMaxDifference": candidate.parity.max_difference,
        "parityRows": candidate.parity.rows,
        "tolerance": candidate.parity.tolerance,
        "trees": len(candidate.forest.trees),
        "columns": len(candidate.columns),
        "artifactLocation": registered.artifact_location,
        "seconds": round(time.monotonic() - started, 1),
    }


def make_trained(options: argparse.Namespace) -> tuple["Candidate", dict[str, object]]:
    from .train_model import train_model

    made = train_model(
        options.data, options.market, options.variant, options.seed, say, options.test_days
    )
    return made, {
        "variant": made.tags["variant"],
        "auc": made.metrics["auc"],
        "rows": made.params["rows"],
    }


def make_imported(options: argparse.Namespace) -> tuple["Candidate", dict[str, object]]:
    from .import_model import import_model

    made = import_model(
        options.model,
        options.sample,
        options.columns,
        options.market,
        say,
        trees=options.trees,
        metrics=options.metrics,
        train_window=options.train_window,
    )
    return made, {}


def say(line: str) -> None:
    print(f"training: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
