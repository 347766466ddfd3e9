"""python -m churn_training.judge: is a candidate better than the champion on the same rows?"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from .dataset import DAY_MS, window_text
from .errors import TrainingError
from .evaluate import test_metrics
from .paired import Difference, compare_aucs, compare_log_losses

Verdict = Literal["better", "no-better", "worse", "too-few"]


@dataclass(frozen=True)
class Rule:
    # Of the intervals.
    confidence: float
    # How much worse one figure may certainly be when the other is certainly better.
    auc_margin: float
    log_loss_margin: float
    # Below these nothing is decided.
    least_rows: int
    least_churned: int
    draws: int
    seed: int


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="churn_training.judge", description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True, help="labelled rows, CSV")
    parser.add_argument("--champion", type=Path, required=True, help="its scores of them, CSV")
    parser.add_argument("--candidate", type=Path, required=True, help="its scores of them, CSV")
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--auc-margin", type=float, default=0.005)
    parser.add_argument("--log-loss-margin", type=float, default=0.01)
    parser.add_argument("--least-rows", type=int, default=500)
    parser.add_argument("--least-churned", type=int, default=50)
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    options = vars(parser.parse_args(arguments))
    cohort, champion, candidate = (
        options.pop(name) for name in ("cohort", "champion", "candidate")
    )
    try:
        result = judge(cohort, champion, candidate, Rule(**options))
    except TrainingError as error:
        print(f"training: {error}", file=sys.stderr, flush=True)
        return 1
    print(json.dumps(result), flush=True)
    return 0


def judge(cohort: Path, champion: Path, candidate: Path, rule: Rule) -> dict[str, Any]:
    """
    Rows that either could not score are left out and counted. Raises TrainingError where the files
    do not belong together.
    """
    rows = read_cohort(cohort)
    both = [read_scores(file, len(rows)) for file in (champion, candidate)]
    scored = both[0].index.intersection(both[1].index).sort_values()
    kept = rows.loc[scored]
    y, players = kept["churned"].to_numpy(), kept["player_id"].to_numpy()
    scores = [part.loc[scored].to_numpy() for part in both]
    churned = int(y.sum())
    document: dict[str, Any] = {
        "rows": len(kept),
        "churned": churned,
        "players": int(kept["player_id"].nunique()),
        "unscored": len(rows) - len(kept),
        "rule": asdict(rule),
    }
    stayed = len(kept) - churned
    if len(kept) < rule.least_rows or min(churned, stayed) < rule.least_churned:
        return {**document, "verdict": "too-few"}
    auc = compare_aucs(y, *scores, players, rule.confidence)
    log_loss = compare_log_losses(y, *scores, players, rule.confidence, rule.draws, rule.seed)
    return {
        **document,
        "verdict": decide(auc, log_loss, rule),
        "window": window_text(kept),
        "auc": auc.document(),
        "logLoss": log_loss.document(),
        "champion": finite(test_metrics(y, scores[0])),
        "candidate": finite(test_metrics(y, scores[1])),
    }


def decide(auc: Difference, log_loss: Difference, rule: Rule) -> Verdict:
    """
    Better is who is certainly better by one figure and not certainly worse by the other by more
    than its margin; worse is the same the other way round.
    """
    if (auc.low > 0 and log_loss.low <= rule.log_loss_margin) or (
        log_loss.high < 0 and auc.high >= -rule.auc_margin
    ):
        return "better"
    if auc.high < 0 or log_loss.low > 0:
        return "worse"
    return "no-better"


def read_cohort(file: Path) -> pd.DataFrame:
    try:
        rows = pd.read_csv(
            file, usecols=["player_id", "as_of", "churned"], dtype={"player_id": str}
        )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file.name} cannot be read: {error}") from error
    return rows.assign(day=rows["as_of"] // DAY_MS)


def read_scores(file: Path, rows: int) -> pd.Series:
    """By the row of the cohort, as `npm run score` numbers them."""
    try:
        scores = pd.read_csv(file, usecols=["row", "score"])
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file.name} cannot be read: {error}") from error
    index = scores["row"].to_numpy()
    if len(index) != len(np.unique(index)) or (len(index) > 0 and not 0 <= index.max() < rows):
        raise TrainingError(f"{file.name} does not belong to a cohort of {rows} rows")
    return scores.set_index("row")["score"]


def finite(figures: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if np.isfinite(value)}


if __name__ == "__main__":
    sys.exit(main())
