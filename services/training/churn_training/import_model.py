"""Which steps lead from somebody's model file to a model that may be registered?"""

import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np

from .artifact import PARITY_ROWS, Candidate, convert
from .booster_file import BoosterFile, read_booster
from .columns import Column, OneHot, Ordinal, check_names, read_columns, read_features
from .errors import TrainingError
from .forest import Forest, best_rounds, read_forest
from .profile import columns_profile, reference_profile, with_importance
from .provenance import git_commit, sha256, versions
from .sample import read_sample

Say = Callable[[str], None]

SEED = 7
SAMPLE_ROWS = 1_000
FEW_ROWS = 10
METRIC_NAME = re.compile(r"[\w\-. :/]{1,250}", re.ASCII)
GENERIC_NAME = re.compile(r"f\d+")


def import_model(
    model: Path,
    sample: Path,
    columns: Path,
    market: str,
    say: Say,
    trees: str = "best",
    metrics: Path | None = None,
    train_window: str | None = None,
) -> Candidate:
    """
    `trees` is `best` (after early stopping, the trees that XGBoost's scikit-learn wrapper predicts
    with) or `all`. Raises TrainingError for all that the caller can put right.
    """
    window = None if train_window is None else checked_window(train_window)
    given_metrics = {} if metrics is None else read_metrics(metrics)
    file = read_booster(model)
    catalogue = read_features()
    listed = read_columns(columns, catalogue)
    check_features(file, listed)
    rows = read_sample(sample, listed, catalogue)
    if len(rows.values) < FEW_ROWS:
        say(f"warning: a sample of {len(rows.values)} rows says little; give {FEW_ROWS} or more")
    forest = read_forest(file.booster, chosen_rounds(file, trees, say))
    check_categories(forest, rows.columns)

    x = rows.values.astype(np.float32)
    converted = convert(forest, rows.columns, x, SEED, PARITY_ROWS, SAMPLE_ROWS)
    parity = converted.parity
    say(f"parity: at most {parity.max_difference:.2e} from XGBoost over {parity.rows} rows")

    windows = {} if window is None else {"train_window": window}
    provenance = {"git_commit": git_commit(), "model_file_sha256": sha256(file.content)}
    names = [column.name for column in rows.columns]
    features = with_importance(columns_profile(x, rows.columns), names, forest.importance)
    profile = {
        "market": market,
        "trainWindow": window,
        "testWindow": None,
        "horizonDays": None,
        "metrics": given_metrics,
        **reference_profile(features, len(x), forest.probabilities(x), churned=None),
    }
    return Candidate(
        forest=forest,
        onnx=converted.onnx,
        columns=rows.columns,
        golden=converted.golden,
        sample=converted.sample,
        profile=profile,
        parity=parity,
        metrics=given_metrics,
        params={
            **booster_params(file, forest),
            "market": market,
            "columns": len(rows.columns),
            "sample_rows": len(x),
            "trees_option": trees,
            **windows,
            **provenance,
            **versions(),
        },
        tags={"market": market, "imported": "true", **windows, **provenance, **converted.tags},
        files={f"xgboost/original.{file.kind}": file.content},
    )


def booster_params(file: BoosterFile, forest: Forest) -> dict[str, object]:
    """What the file says of itself, and what is used of it."""
    found = {
        "objective": file.objective,
        "booster": forest.kind,
        "model_format": file.kind,
        "model_xgboost_version": file.version,
        "num_feature": forest.width,
        "rounds": forest.rounds,
        "rounds_in_file": forest.rounds_in_file,
        "num_parallel_tree": round(len(forest.trees) / forest.rounds),
        "trees": len(forest.trees),
        "max_tree_depth": forest.depth,
        "base_score": forest.base_score,
        "leaf_sum": forest.leaf_sum,
        "categorical_splits": len(forest.categorical) > 0,
        "best_iteration": file.booster.attr("best_iteration"),
        "best_score": file.booster.attr("best_score"),
    }
    return {name: value for name, value in found.items() if value is not None}


def chosen_rounds(file: BoosterFile, trees: str, say: Say) -> int:
    """How many rounds of the file serve."""
    every = file.booster.num_boosted_rounds()
    best = best_rounds(file.booster) if trees == "best" else None
    if best is None:
        say(f"{every} rounds of trees, all of them are taken")
        return every
    say(
        f"{best} of {every} rounds of trees are taken: best_iteration is {best - 1} after early "
        "stopping (--trees all takes all)"
    )
    return best


def check_features(file: BoosterFile, columns: tuple[Column, ...]) -> None:
    """The model's own names, where it has any, are the columns' in the same order."""
    named = file.booster.feature_names
    width = file.booster.num_features()
    if named and not all(GENERIC_NAME.fullmatch(name) for name in named):
        check_names(named, columns, "the model's features")
    if width != len(columns):
        raise TrainingError(
            f"the model takes {width} features, the columns file names {len(columns)} columns"
        )


def check_categories(forest: Forest, columns: tuple[Column, ...]) -> None:
    """A split by category needs to know which text each code stands for."""
    for index in sorted(forest.categorical):
        column = columns[index]
        if not isinstance(column, Ordinal):
            raise TrainingError(
                f"the model splits {column.name} by category (enable_categorical), so its column "
                f'must name the levels in the order of their codes: {{"name": "{column.name}", '
                '"levels": [texts]}'
            )
    for index, known in forest.category_names.items():
        column = columns[index]
        if isinstance(column, Ordinal) and column.levels != known:
            raise TrainingError(
                f"the levels of {column.name} are {', '.join(column.levels)}, but the model was "
                f"trained with {', '.join(known)}: name these in this order"
            )
        if isinstance(column, OneHot):
            raise TrainingError(f"{column.name} is a category in the model, not a 0 or 1")


def read_metrics(file: Path) -> dict[str, float]:
    """A flat JSON object of numbers."""
    try:
        document = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"the metrics {file} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise TrainingError(f"the metrics {file.name} must be a JSON object of numbers")
    for key, value in document.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not np.isfinite(value):
            raise TrainingError(
                f"the metrics {file.name}: {key} is {json.dumps(value)}, it must be a number"
            )
        if METRIC_NAME.fullmatch(key) is None:
            raise TrainingError(
                f"the metrics {file.name}: {json.dumps(key)} is no name of a metric; letters, "
                "digits, spaces and _ - . : / are"
            )
    return {key: float(value) for key, value in document.items()}


def checked_window(text: str) -> str:
    """`2025-01-01/2025-06-30`, both days included."""
    try:
        first, last = (date.fromisoformat(part) for part in text.split("/"))
    except ValueError as error:
        raise TrainingError(
            f"the train window {text} is not FROM/TO, as 2025-01-01/2025-06-30"
        ) from error
    if first > last:
        raise TrainingError(f"the train window {text} ends before it begins")
    return f"{first.isoformat()}/{last.isoformat()}"
