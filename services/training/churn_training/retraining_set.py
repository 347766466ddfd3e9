"""python -m churn_training.retraining_set: may a model learn from this set, and who judges it?"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .columns import read_features
from .config import read_configuration
from .dataset import (
    HORIZON_DAYS,
    at_risk,
    day_text,
    mature,
    newest,
    of_market,
    read_rows,
    split_by_time,
    window_text,
)
from .errors import TrainingError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="churn_training.retraining_set", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="labelled rows: CSV, may be .gz")
    parser.add_argument("--market", required=True, help="markets/<market>.toml")
    parser.add_argument("--profile", type=Path, required=True, help="the champion's, JSON")
    parser.add_argument("--test-days", type=int, required=True, help="the newest, to judge on")
    parser.add_argument(
        "--seen-until", required=True, metavar="DAY", help="the last day the champion's labels saw"
    )
    parser.add_argument("--cohort", type=Path, required=True, help="rows to judge on go here")
    options = parser.parse_args(arguments)
    try:
        result = prepare(**vars(options))
    except TrainingError as error:
        print(f"training: {error}", file=sys.stderr, flush=True)
        return 1
    print(json.dumps(result), flush=True)
    return 0


def prepare(
    data: Path, market: str, profile: Path, test_days: int, seen_until: str, cohort: Path
) -> dict[str, Any]:
    """
    Counts what training will find, measures it against the champion's reference profile, and
    writes the cohort: the test days that neither the candidate nor the champion has learned from.
    A set that training would refuse has `problem`, and no cohort. Raises TrainingError where a file
    can't be read.
    """
    features = read_features()
    configuration = read_configuration(market, "usual", features)
    reference = json.loads(profile.read_text())
    everything = read_rows(data, features)
    document: dict[str, Any] = {"rows": len(everything), "usable": 0, "churned": 0}
    try:
        chosen = newest(of_market(everything, configuration.rows), configuration.last_days)
        usable = mature(at_risk(chosen))
        document |= {
            "usable": len(usable),
            "churned": int(usable["churned"].sum()),
            "window": window_text(usable),
            "newestAsOf": int(chosen["as_of"].max()),
            "quality": [vars(found) for found in measure(usable, reference)],
        }
        split = split_by_time(usable, test_days)
    except TrainingError as error:
        return {**document, "problem": str(error)}
    seen_day = int(pd.Timestamp(seen_until).timestamp()) // 86_400
    unseen = split.test[split.test["day"] > seen_day]
    # Every column, as the set has them: the scores are made of the same file.
    picked = pd.read_csv(data, dtype=str, keep_default_na=False).loc[unseen.index]
    picked.to_csv(cohort, index=False)
    return {
        **document,
        "trainWindow": window_text(split.train),
        "cohort": {
            "rows": len(unseen),
            "churned": int(unseen["churned"].sum()),
            "players": int(unseen["player_id"].nunique()),
            "window": window_text(unseen) if len(unseen) > 0 else None,
            "testWindow": window_text(split.test),
            "championSawUntil": day_text(seen_day),
        },
        "horizonDays": HORIZON_DAYS,
    }


@dataclass(frozen=True)
class Quality:
    """Of one feature; a share that the reference does not tell is None."""

    feature: str
    nulls: float
    reference_nulls: float
    unseen: float | None
    reference_unseen: float | None


def measure(rows: pd.DataFrame, reference: dict[str, Any]) -> list[Quality]:
    """Of the features that the profile tells of by name; an import may know columns only."""
    found = []
    for profile in reference["features"]:
        name = profile["name"]
        if name not in rows:
            continue
        values = rows[name]
        unseen = None
        if profile["type"] == "categorical":
            unseen = float((values.notna() & ~values.isin(list(profile["levels"]))).mean())
        found.append(
            Quality(
                feature=name,
                nulls=float(values.isna().mean()),
                reference_nulls=float(profile["nullRate"]),
                unseen=unseen,
                reference_unseen=float(profile["other"]) if unseen is not None else None,
            )
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
