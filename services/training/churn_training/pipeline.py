"""Which steps lead from a training set to a model that may be registered?"""

import subprocess
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np

from .artifact import SAMPLE_ROWS, Trained, columns_digest
from .columns import learn_encoding, read_features
from .dataset import HORIZON_DAYS, at_risk, mature, of_market, read_rows, split_by_time, window_text
from .evaluate import AUC_BAND, RECENCY, auc_verdict, strongest_alone, test_metrics
from .export import check_parity, edge_rows, threshold_rows, to_onnx
from .golden import golden_rows
from .profile import reference_profile
from .train import HYPERPARAMETERS, fit, probabilities

Say = Callable[[str], None]


def train_model(data: Path, market: str, seed: int, say: Say) -> Trained:
    features = read_features()
    everything = of_market(read_rows(data, features), market)
    usable = mature(at_risk(everything))
    split = split_by_time(usable)
    say(
        f"{len(everything)} rows, {len(usable)} of them mature and at risk: "
        f"{len(split.train)} to train on ({window_text(split.train)}), {split.in_gap} in the gap, "
        f"{len(split.test)} to test on ({window_text(split.test)})"
    )

    encoding = learn_encoding(split.train, features)
    columns = encoding.columns
    x_train, x_test = encoding.encode(split.train), encoding.encode(split.test)
    y_train, y_test = split.train["churned"].to_numpy(), split.test["churned"].to_numpy()
    model = fit(x_train, y_train, seed)
    scores = probabilities(model, x_test)
    metrics = test_metrics(y_test, scores)
    others = [index for index, column in enumerate(columns) if column not in RECENCY]
    without = probabilities(fit(x_train[:, others], y_train, seed), x_test[:, others])
    metrics["auc_without_recency"] = test_metrics(y_test, without)["auc"]
    say(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
    verdict = auc_verdict(metrics["auc"])
    if verdict != "ok":
        alone = strongest_alone(x_test, y_test, columns)
        say(
            f"warning: the test AUC is {metrics['auc']:.4f}, outside {AUC_BAND[0]}-{AUC_BAND[1]}"
            + ("; leakage is suspected" if verdict == "high" else "")
            + f". Strongest alone: {', '.join(f'{name} {auc:.3f}' for name, auc in alone)}"
        )

    converted = to_onnx(model)
    checked = np.vstack([x_test, edge_rows(x_test, seed), threshold_rows(model, x_test, seed)])
    parity = check_parity(converted, model, checked)
    golden = golden_rows(model, x_test, seed)
    check_parity(converted, model, golden)
    say(f"parity: at most {parity.max_difference:.2e} from XGBoost over {parity.rows} rows")

    draw = np.random.default_rng(seed)
    sample = x_test[draw.choice(len(x_test), min(SAMPLE_ROWS, len(x_test)), replace=False)]
    window = window_text(split.train)
    profile = {
        "market": market,
        "trainWindow": window,
        "testWindow": window_text(split.test),
        "horizonDays": HORIZON_DAYS,
        "metrics": {name: value if np.isfinite(value) else None for name, value in metrics.items()},
        **reference_profile(split.train, encoding, scores, y_test),
    }
    return Trained(
        model=model,
        onnx=converted,
        encoding=encoding,
        golden_rows=golden,
        sample=sample,
        profile=profile,
        parity=parity,
        metrics=metrics,
        params={
            **HYPERPARAMETERS,
            "market": market,
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
            "git_commit": git_commit(),
            **versions(),
        },
        tags={
            "market": market,
            "train_window": window,
            "onnx_parity": f"passed: max {parity.max_difference:.2e} over {parity.rows} rows",
            "columns_sha256": columns_digest(columns),
            "auc_check": verdict,
        },
    )


def git_commit() -> str:
    try:
        command = ["git", "rev-parse", "HEAD"]
        here = Path(__file__).parent
        return subprocess.run(
            command, cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def versions() -> dict[str, str]:
    import xgboost

    found = {name: metadata.version(name) for name in ("onnxmltools", "onnxruntime", "onnx")}
    return {"version_xgboost": xgboost.__version__} | {
        f"version_{name}": version for name, version in found.items()
    }
