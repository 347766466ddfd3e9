"""Who is better, from files as the score command leaves them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_training.dataset import DAY_MS
from churn_training.judge import Rule, decide, main
from churn_training.paired import Difference

RULE = Rule(0.95, 0.005, 0.01, 500, 50, 200, 7)


def difference(low: float, high: float) -> Difference:
    middle = (low + high) / 2
    return Difference(0.7, 0.7 + middle, middle, low, high, 0.5)


@pytest.mark.parametrize(
    ("auc", "log_loss", "verdict"),
    [
        ((0.001, 0.02), (-0.02, 0.01), "better"),
        ((0.001, 0.02), (0.011, 0.02), "worse"),
        ((-0.01, 0.02), (-0.02, -0.001), "better"),
        ((-0.02, -0.006), (-0.02, -0.001), "worse"),
        ((-0.02, -0.004), (-0.02, -0.001), "better"),
        ((-0.01, 0.01), (-0.01, 0.01), "no-better"),
        ((-0.01, -0.001), (-0.01, 0.01), "worse"),
        ((-0.01, 0.01), (0.001, 0.01), "worse"),
    ],
)
def test_decide(auc: tuple[float, float], log_loss: tuple[float, float], verdict: str) -> None:
    assert decide(difference(*auc), difference(*log_loss), RULE) == verdict


def write(folder: Path, rows: int = 1_200, churn: float = 0.3) -> dict[str, Path]:
    draw = np.random.default_rng(1)
    y = (draw.random(rows) < churn).astype(int)
    noise = draw.normal(size=rows)
    files = {name: folder / f"{name}.csv" for name in ("cohort", "blind", "sharp")}
    pd.DataFrame(
        {
            "player_id": [f"p{i % 700}" for i in range(rows)],
            "as_of": (20_000 + np.arange(rows) % 14) * DAY_MS,
            "days_since_last_bet": 1.0,
            "churned": y,
        }
    ).to_csv(files["cohort"], index=False)
    for name, weight in (("blind", 0.5), ("sharp", 2.5)):
        scores = 1 / (1 + np.exp(-(weight * (y - 0.7) + 0.5 * noise)))
        order = draw.permutation(rows)
        pd.DataFrame({"player_id": "x", "row": order, "score": scores[order]}).to_csv(
            files[name], index=False
        )
    return files


def run(files: dict[str, Path], champion: str, candidate: str) -> list[str]:
    named = {"cohort": "cohort", "champion": champion, "candidate": candidate}
    return [part for o, name in named.items() for part in (f"--{o}", str(files[name]))]


@pytest.mark.parametrize(
    ("champion", "candidate", "verdict"),
    [("blind", "sharp", "better"), ("sharp", "blind", "worse"), ("sharp", "sharp", "no-better")],
)
def test_the_verdict_is_about_the_candidate(
    champion: str,
    candidate: str,
    verdict: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(run(write(tmp_path), champion, candidate)) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == verdict
    assert (answer["rows"], answer["players"], answer["unscored"]) == (1200, 700, 0)
    assert answer["window"] == "2024-10-04/2024-10-17"
    assert answer["auc"]["candidate"] == pytest.approx(answer["candidate"]["auc"])
    assert answer["logLoss"]["champion"] == pytest.approx(answer["champion"]["log_loss"])


def test_rows_that_one_could_not_score_are_left_out_of_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write(tmp_path)
    lines = files["sharp"].read_text().splitlines()
    files["sharp"].write_text("\n".join(lines[:-100]))
    assert main(run(files, "blind", "sharp")) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["unscored"]) == (1100, 100)


@pytest.mark.parametrize(("rows", "churn"), [(499, 0.3), (600, 0.05)])
def test_too_few_rows_decide_nothing(
    rows: int, churn: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(run(write(tmp_path, rows, churn), "blind", "sharp")) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "too-few"


def test_scores_of_another_cohort_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write(tmp_path)
    text = files["cohort"].read_text().splitlines()
    files["cohort"].write_text("\n".join(text[:900]))
    assert main(run(files, "blind", "sharp")) == 1
    assert "does not belong to a cohort of 899 rows" in capsys.readouterr().err
