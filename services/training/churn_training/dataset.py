"""Which rows may a model learn from, and on which is it judged?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from .columns import Features
from .errors import TrainingError

DAY_MS = 86_400_000
# A label looks at this many days after the day of as_of.
HORIZON_DAYS = 28
TEST_SHARE = 0.3
# A day's labels are taken as complete from this part of the overall churn rate on: the first late
# bets make a few players churned before the clock has told of the others.
MATURE_RATE = 0.25
MIN_TRAIN_ROWS = 500
MIN_TEST_ROWS = 200
MIN_OF_EACH_CLASS = 20


@dataclass(frozen=True)
class Split:
    """Training days, a gap of one horizon, test days."""

    train: pd.DataFrame
    test: pd.DataFrame
    in_gap: int


def read_rows(file: Path, features: Features) -> pd.DataFrame:
    """The rows of a training set with the day of as_of. An empty field is null."""
    numbers = {**dict.fromkeys(features.numeric, "float64"), "churned": "float64"}
    texts = dict.fromkeys(["player_id", *features.categorical], "str")
    wanted = ["player_id", "as_of", *features.names, "churned"]
    try:
        header = pd.read_csv(file, nrows=0).columns
        missing = [name for name in wanted if name not in header]
        if missing:
            raise TrainingError(f"{file.name} lacks columns: {', '.join(missing)}")
        rows = pd.read_csv(
            file,
            usecols=wanted,
            dtype={**numbers, **texts, "as_of": "int64"},
            keep_default_na=False,
            na_values={name: [""] for name in [*numbers, *texts]},
        )
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file.name} cannot be read: {error}") from error
    if not rows["churned"].isin((0, 1)).all():
        raise TrainingError(f"{file.name}: churned must be 0 or 1 in every row")
    return rows.assign(churned=rows["churned"].astype("int8"), day=rows["as_of"] // DAY_MS)


def of_market(rows: pd.DataFrame, codes: Sequence[str] | None) -> pd.DataFrame:
    """The players of these market codes, all of them for None."""
    if codes is None:
        return rows
    chosen = rows[rows["market"].isin(codes)]
    if chosen.empty:
        known = ", ".join(sorted(rows["market"].dropna().unique())) or "none"
        raise TrainingError(f"no row is of market {', '.join(codes)}; there are: {known}")
    return chosen


def newest(rows: pd.DataFrame, days: int | None) -> pd.DataFrame:
    """The newest days, the last one included; all of them for None."""
    if days is None:
        return rows
    return rows[rows["day"] > rows["day"].max() - days]


def check_enough_rows(rows: pd.DataFrame, least: int, market: str) -> None:
    if len(rows) < least:
        raise TrainingError(
            f"too few rows of market {market}: {len(rows)} are mature and at risk, "
            f"markets/{market}.toml asks for at least {least} (min_rows)"
        )


def at_risk(rows: pd.DataFrame) -> pd.DataFrame:
    """Leaves out who had already churned as of the row. Null, never a bet, stays."""
    return rows[~(rows["days_since_last_bet"] >= HORIZON_DAYS)]


def mature(rows: pd.DataFrame) -> pd.DataFrame:
    """
    Leaves out the newest days, on which hardly anything but "stayed" can be known yet: a bet tells
    that at once, churn is known after the horizon. Kept, they would teach that nobody churns.
    """
    rate = rows["churned"].mean()
    if not rate > 0:
        raise TrainingError(f"none of {len(rows)} rows is churned: there is nothing to learn")
    by_day = rows.groupby("day")["churned"].mean()
    return rows[rows["day"] <= by_day.index[by_day >= rate * MATURE_RATE].max()]


def split_by_time(rows: pd.DataFrame, test_days: int | None = None) -> Split:
    """
    The test days are the newest so many, or the last TEST_SHARE of the days that the gap leaves.
    The label of the newest training row ends on the day before the first test day.
    """
    first, last = int(rows["day"].min()), int(rows["day"].max())
    usable = last - first + 1 - HORIZON_DAYS
    if usable < 2:
        raise TrainingError(
            f"the rows span {last - first + 1} days; a training day, a gap of {HORIZON_DAYS} days "
            f"and a test day need at least {HORIZON_DAYS + 2}"
        )
    test_from = last + 1 - (test_days or max(1, round(usable * TEST_SHARE)))
    train = rows[rows["day"] + HORIZON_DAYS < test_from]
    test = rows[rows["day"] >= test_from]
    check_no_leakage(train, test)
    _check_enough("training", train, MIN_TRAIN_ROWS)
    _check_enough("test", test, MIN_TEST_ROWS)
    return Split(train=train, test=test, in_gap=len(rows) - len(train) - len(test))


def check_no_leakage(train: pd.DataFrame, test: pd.DataFrame) -> None:
    """No training label may have looked into the test days."""
    if train.empty or test.empty:
        return
    known_at, test_from = int(train["day"].max()) + HORIZON_DAYS, int(test["day"].min())
    if known_at >= test_from:
        raise TrainingError(
            f"leakage: training labels look at days up to {day_text(known_at)}, "
            f"but the test begins on {day_text(test_from)}"
        )


def day_text(day: int) -> str:
    return datetime.fromtimestamp(int(day) * DAY_MS / 1000, UTC).date().isoformat()


def window_text(rows: pd.DataFrame) -> str:
    return f"{day_text(rows['day'].min())}/{day_text(rows['day'].max())}"


def _check_enough(part: str, rows: pd.DataFrame, least: int) -> None:
    if len(rows) < least:
        raise TrainingError(f"too few {part} rows: {len(rows)}, at least {least} are needed")
    churned = int(rows["churned"].sum())
    for answer, count in (("churned", churned), ("not churned", len(rows) - churned)):
        if count < MIN_OF_EACH_CLASS:
            raise TrainingError(
                f"too few {answer} among {len(rows)} {part} rows: {count}, "
                f"at least {MIN_OF_EACH_CLASS} are needed"
            )
