"""
The same rows in every shape that pandas writes, for the tests of the readers.

    python make_rows.py COLUMNS.json

The files are in the repository; this makes them again after a change.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent
ROWS = 7
# Shuffled, as a test sample's are: their order is the rows' only name in some shapes.
LABELS = [11, 3, 7, 0, 5, 2, 10]
CATEGORIES = {
    "market": ["us-nj", "gb", None, "au-vic", "us-nj", "nowhere", "us-ny"],
    "acquisition_source": ["paid", None, "organic", "affiliate", "paid", "referral", "other"],
    "first_product": [None, "sport", "casino", "sport", "multi", "racing", None],
}


def is_one_hot(name: str) -> bool:
    return any(name.startswith(f"{category}_") for category in CATEGORIES)


def make_features(columns: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(index=LABELS)
    frame["player_id"] = [f"p-{number}" for number in range(ROWS)]
    frame["as_of"] = 1_794_787_200_000 + np.arange(ROWS) * 1_000
    for name in columns:
        if not is_one_hot(name):
            values = np.round(rng.random(ROWS) * 30, 3)
            values[rng.random(ROWS) < 0.2] = np.nan
            frame[name] = values
    frame["bets_7d"] = np.arange(ROWS)
    for name, values in CATEGORIES.items():
        frame[name] = pd.Series(values, index=LABELS, dtype=object)
    return frame


def make_columns(features: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(index=features.index)
    for name in columns:
        if is_one_hot(name):
            category = max((c for c in CATEGORIES if name.startswith(f"{c}_")), key=len)
            frame[name] = (features[category] == name.removeprefix(f"{category}_")).astype(int)
        else:
            frame[name] = features[name]
    return frame


def main(columns_file: str) -> None:
    columns = json.loads(Path(columns_file).read_text("utf-8"))
    features = make_features(columns)
    model = make_columns(features, columns)
    for orient in ("columns", "records", "split", "index", "table"):
        text = features.to_json(orient=orient, double_precision=15)
        (FOLDER / f"{orient}.json").write_text(text)
    (FOLDER / "values.json").write_text(model.to_json(orient="values", double_precision=15))
    lists = {name: values.tolist() for name, values in model.astype(float).items()}
    (FOLDER / "lists.json").write_text(json.dumps(lists).replace("NaN", "null"))
    features.to_json(FOLDER / "lines.jsonl.gz", orient="records", lines=True, double_precision=15)
    features.to_csv(FOLDER / "index.csv")
    model.to_csv(FOLDER / "model.csv.gz", index=False)
    moments = features.assign(
        as_of=pd.to_datetime(features["as_of"], unit="ms", utc=True),
        market=features["market"].astype("category"),
    )
    moments.to_parquet(FOLDER / "features.parquet", row_group_size=3)
    model.astype({name: bool for name in columns if is_one_hot(name)}).astype(
        {"stake_7d": "float32"}
    ).to_parquet(FOLDER / "model.parquet", compression="zstd")


if __name__ == "__main__":
    main(sys.argv[1])
