"""Which features are there, and which columns does a model see them as?"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
class Numeric:
    """A number as it is; null is NaN."""

    name: str


@dataclass(frozen=True)
class OneHot:
    """1 where the category is this level, else 0; never null."""

    feature: str
    level: str

    @property
    def name(self) -> str:
        return f"{self.feature}_{self.level}"


@dataclass(frozen=True)
class Ordinal:
    """The category's place among the levels; NaN where it is null or none of them."""

    name: str
    levels: tuple[str, ...]


Column = Numeric | OneHot | Ordinal


def names_of(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def encode(rows: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """Float32 [rows, columns] from rows of features, rounded once."""
    return np.column_stack([encode_column(rows, column) for column in columns]).astype(np.float32)


def encode_column(rows: pd.DataFrame, column: Column) -> np.ndarray:
    match column:
        case Numeric(name):
            return rows[name].to_numpy(np.float64)
        case OneHot(feature, level):
            return (rows[feature].to_numpy(object) == level).astype(np.float64)
        case Ordinal(name, levels):
            codes = {level: float(code) for code, level in enumerate(levels)}
            return np.array([codes.get(value, np.nan) for value in rows[name].to_numpy(object)])


def learn_columns(
    training: pd.DataFrame, features: Sequence[str], catalogue: Features, encoding: str
) -> tuple[Column, ...]:
    """
    Numeric features first, then the categorical ones, `one-hot` or `ordinal`, each in the
    catalogue's order. Levels come from the training part alone, in alphabetical order.
    """
    columns: list[Column] = [Numeric(name) for name in catalogue.numeric if name in features]
    for name in catalogue.categorical:
        if name not in features:
            continue
        counts = training[name].value_counts()
        levels = sorted(str(level) for level in counts[counts >= MIN_LEVEL_ROWS].index)
        if encoding == "one-hot":
            columns += [OneHot(name, level) for level in levels]
        elif levels:
            columns.append(Ordinal(name, tuple(levels)))
    return tuple(columns)


def to_column(name: str, catalogue: Features) -> Column:
    """A name alone is a one-hot column where a categorical feature begins it, else a number."""
    if name in catalogue.numeric:
        return Numeric(name)
    begins = [feature for feature in catalogue.categorical if name.startswith(f"{feature}_")]
    if not begins:
        return Numeric(name)
    feature = max(begins, key=len)
    return OneHot(feature, name.removeprefix(f"{feature}_"))


def columns_document(columns: Sequence[Column]) -> list[Any]:
    """columns.json: names, and for an ordinal column its levels with it."""
    return [
        {"name": column.name, "levels": list(column.levels)}
        if isinstance(column, Ordinal)
        else column.name
        for column in columns
    ]


def columns_digest(columns: Sequence[Column]) -> str:
    """SHA-256, equal for models that see the same columns in the same order."""
    entries = columns_document(columns)
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_columns(file: Path, catalogue: Features) -> tuple[Column, ...]:
    """
    The columns of a given model, in its order: a JSON list of names and `{"name", "levels"}`, the
    same under `columns` of a JSON object, or a text with one name a line.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise TrainingError(f"the columns {file} cannot be read: {error}") from error
    if text.lstrip().startswith(("[", "{")):
        try:
            entries = json.loads(text)
        except ValueError as error:
            raise TrainingError(f"{file.name} is no JSON: {error}") from error
        if isinstance(entries, dict):
            entries = entries.get("columns")
        if not isinstance(entries, list):
            raise TrainingError(f'{file.name} must be a JSON list, or {{"columns": [list]}}')
    else:
        lines = (line.strip() for line in text.splitlines())
        entries = [line for line in lines if line and not line.startswith("#")]
    if not entries:
        raise TrainingError(f"{file.name} names no column")
    columns = tuple(
        read_column(entry, index, file.name, catalogue) for index, entry in enumerate(entries)
    )
    names = names_of(columns)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TrainingError(f"{file.name} names columns twice: {', '.join(twice)}")
    return columns


def read_column(entry: object, index: int, file: str, catalogue: Features) -> Column:
    if isinstance(entry, str) and entry != "":
        return to_column(entry, catalogue)
    name, levels = (
        (entry.get("name"), entry.get("levels")) if isinstance(entry, dict) else (None, None)
    )
    is_named = isinstance(name, str) and name != ""
    is_listed = isinstance(levels, list) and all(isinstance(level, str) for level in levels)
    if not is_named or not is_listed or not levels or len(set(levels)) < len(levels):
        raise TrainingError(
            f"{file}: entry {index} is {json.dumps(entry)}; a column is a name, or "
            '{"name": …, "levels": [different texts]}'
        )
    return Ordinal(name, tuple(levels))


def check_names(given: Sequence[str], columns: Sequence[Column], giver: str) -> None:
    """
    Refuses names in another order than the columns', and names that one side lacks.
    `giver` begins the message, as in "the model's features".
    """
    expected = names_of(columns)
    if list(given) == expected:
        return
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    problems = []
    renamed = [
        (have, want)
        for have, want in zip(given, expected, strict=False)
        if have in extra and want in missing and len(given) == len(expected)
    ]
    if renamed:
        pairs = ", ".join(f"{have} where the columns have {want}" for have, want in renamed)
        problems.append(f"name {pairs}")
    renamed_names = {name for pair in renamed for name in pair}
    missing = [name for name in missing if name not in renamed_names]
    extra = [name for name in extra if name not in renamed_names]
    if missing:
        problems.append(f"lack {', '.join(missing)}")
    if extra:
        problems.append(f"also have {', '.join(extra)}")
    if not problems:
        at = next(i for i, pair in enumerate(zip(given, expected, strict=True)) if len({*pair}) > 1)
        problems.append(
            f"are in another order: at {at} stands {given[at]}, in the columns {expected[at]}"
        )
    raise TrainingError(
        f"{giver} {' and '.join(problems)}: the columns file must name the model's columns in the "
        "model's order"
    )
