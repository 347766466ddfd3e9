"""Which steps lead from a training set to a model that may be registered?"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .artifact import PARITY_ROWS, Candidate, convert, to_json
from .columns import OneHot, encode, learn_columns, names_of, read_features
from .config import read_configuration
from .dataset import (
    HORIZON_DAYS,
    at_risk,
    check_enough_rows,
    mature,
    newest,
    of_market,
    read_rows,
    split_by_time,
    window_text,
)
from .evaluate import AUC_BAND, RECENCY, auc_verdict, strongest_alone, test_metrics
from .fit import OBJECTIVE, fit
from .profile import features_profile, reference_profile, with_importance
from .provenance import file_sha256, git_commit, versions

Say = Callable[[str], None]


def train_model(
    data: Path, market: str, variant: str, seed: int, say: Say, test_days: int | None = None
) -> Candidate:
    """The same file, configuration and seed give the same columns and probabilities."""
    features = read_features()
    configuration = read_configuration(market, variant, features)
    say(f"market {market}, variant {configuration.variant}, seed {seed}")
    everything = of_market(read_rows(data, features), configuration.rows)
    usable = mature(at_risk(newest(everything, configuration.last_days)))
    check_enough_rows(usable, configuration.min_rows, market)
    split = split_by_time(usable, test_days)
    say(
        f"{len(everything)} rows, {len(usable)} of them mature and at risk: "
        f"{len(split.train)} to train on ({window_text(split.train)}), {split.in_gap} in the gap, "
        f"{len(split.test)} to test on ({window_text(split.test)})"
    )

    columns = learn_columns(split.train, configuration.features, features, configuration.encoding)
    names = names_of(columns)
    x_train, x_test = encode(split.train, columns), encode(split.test, columns)
    y_train, y_test = split.train["churned"].to_numpy(), split.test["churned"].to_numpy()
    forest = fit(x_train, y_train, configuration.hyperparameters, seed)
    scores = forest.probabilities(x_test)
    metrics = test_metrics(y_test, scores)
    others = [index for index, name in enumerate(names) if name not in RECENCY]
    if 0 < len(others) < len(names):
        without = fit(x_train[:, others], y_train, configuration.hyperparameters, seed)
        seen = without.probabilities(x_test[:, others])
        metrics["auc_without_recency"] = test_metrics(y_test, seen)["auc"]
    say(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    verdict = auc_verdict(metrics["auc"])
    if verdict != "ok":
        alone = strongest_alone(x_test, y_test, names)
        say(
            f"warning: the test AUC is {metrics['auc']:.4f}, outside {AUC_BAND[0]}-{AUC_BAND[1]}"
            + ("; leakage is suspected" if verdict == "high" else "")
            + f". Strongest alone: {', '.join(f'{name} {auc:.3f}' for name, auc in alone)}"
        )

    converted = convert(forest, columns, x_test, seed, PARITY_ROWS)
    parity = converted.parity
    say(f"parity: at most {parity.max_difference:.2e} from XGBoost over {parity.rows} rows")

    window = window_text(split.train)
    provenance = {"git_commit": git_commit(), "data_sha256": file_sha256(data)}
    training_config = {
        **configuration.document(),
        "seed": seed,
        "data": data.name,
        "trainWindow": window,
        "testWindow": window_text(split.test),
        **provenance,
        **versions(),
    }
    features = with_importance(
        features_profile(split.train, columns),
        [column.feature if isinstance(column, OneHot) else column.name for column in columns],
        forest.importance,
    )
    profile = {
        "market": market,
        "trainWindow": window,
        "testWindow": window_text(split.test),
        "horizonDays": HORIZON_DAYS,
        "metrics": {name: value if np.isfinite(value) else None for name, value in metrics.items()},
        **reference_profile(features, len(split.train), scores, y_test),
    }
    return Candidate(
        forest=forest,
        onnx=converted.onnx,
        columns=columns,
        golden=converted.golden,
        sample=converted.sample,
        profile=profile,
        parity=parity,
        metrics=metrics,
        params={
            **configuration.hyperparameters,
            "objective": OBJECTIVE,
            "market": market,
            "variant": configuration.variant,
            "encoding": configuration.encoding,
            "features": ",".join(configuration.features),
            "market_rows": "all" if configuration.rows is None else ",".join(configuration.rows),
            "last_days": configuration.last_days or "all",
            "min_rows": configuration.min_rows,
            "seed": seed,
            "horizon_days": HORIZON_DAYS,
            "data": data.name,
            "rows": len(everything),
            "rows_usable": len(usable),
            "rows_train": len(split.train),
            "rows_gap": split.in_gap,
            "rows_test": len(split.test),
            "players": everything["player_id"].nunique(),
            "players_train": split.train["player_id"].nunique(),
            "players_test": split.test["player_id"].nunique(),
            "window": window_text(everything),
            "train_window": window,
            "test_window": window_text(split.test),
            "columns": len(columns),
            "recency_features": ",".join(RECENCY),
            **provenance,
            **versions(),
        },
        tags={
            "market": market,
            "variant": configuration.variant,
            "train_window": window,
            "auc_check": verdict,
            **provenance,
            **converted.tags,
        },
        files={"training_config.json": to_json(training_config)},
    )
