"""Which features are there, and which columns does a model see them as?"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from .errors import TrainingError

VECTOR_SCHEMA = Path(__file__).resolve().parents[3] / "schemas" / "avro" / "feature-vector.avsc"
# A level needs this many training rows: fewer teach the model names rather than behaviour.
MIN_LEVEL_ROWS = 20


@dataclass(frozen=True)
class Features:
    """The feature catalogue, as the vector's Avro schema carries it."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return self.numeric + self.categorical


def read_features(schema: Path = VECTOR_SCHEMA) -> Features:
    """A feature is a nullable double or string; the vector's other fields are never null."""
    try:
        fields = json.loads(schema.read_text())["fields"]
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"the features cannot be read from {schema.name}: {error}") from error
    of_type = {
        kind: tuple(f["name"] for f in fields if f["type"] == ["null", kind])
        for kind in ("double", "string")
    }
    return Features(numeric=of_type["double"], categorical=of_type["string"])


@dataclass(frozen=True)
class Encoding:
    """A fixed list of columns: numeric features by name, then `<categorical>_<level>` as 0 or 1."""

    numeric: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    @property
    def columns(self) -> list[str]:
        one_hot = [f"{name}_{level}" for name, levels in self.levels.items() for level in levels]
        return [*self.numeric, *one_hot]

    def encode(self, rows: pd.DataFrame) -> np.ndarray:
        """Float32, rounded once. A null number is NaN; a null or unknown level is all zeros."""
        parts = [rows[list(self.numeric)].to_numpy(np.float64)]
        for name, levels in self.levels.items():
            values = rows[name].to_numpy(object)
            parts += [(values == level).astype(np.float64)[:, None] for level in levels]
        return np.hstack(parts).astype(np.float32)


def learn_encoding(training: pd.DataFrame, features: Features) -> Encoding:
    """Levels come from the training part alone, in alphabetical order."""
    levels = {}
    for name in features.categorical:
        counts = training[name].value_counts()
        levels[name] = tuple(sorted(str(level) for level in counts[counts >= MIN_LEVEL_ROWS].index))
    return Encoding(numeric=features.numeric, levels=levels)
