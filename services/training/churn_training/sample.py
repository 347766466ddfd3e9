"""Which rows does a sample file hold, as the model sees them?"""

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .columns import Column, Features, Numeric, OneHot, Ordinal, names_of
from .errors import TrainingError

FLOAT32_MAX = float(np.finfo(np.float32).max)
# pandas writes its row numbers under an empty name.
INDEX_NAMES = ("", "Unnamed: 0")


@dataclass(frozen=True)
class Table:
    """Cells as the file has them; without names the columns are counted."""

    names: tuple[str, ...] | None
    rows: list[list[Any]]
    # In CSV a number is a text too.
    is_text: bool = False


@dataclass(frozen=True)
class Sample:
    """Rows in the order of the columns, and the columns as far as the sample tells more of them."""

    columns: tuple[Column, ...]
    # Float64 before its one rounding.
    values: np.ndarray


def read_sample(file: Path, columns: tuple[Column, ...], catalogue: Features) -> Sample:
    """
    Any of pandas' JSON orientations, JSON lines or CSV, told apart by what the file holds. Columns
    are put in order by name. A category's own column (`market`) fills its one-hot columns.
    """
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise TrainingError(f"the sample {file} cannot be read: {error}") from error
    try:
        table = read_table(text, names_of(columns))
        if not table.rows:
            raise TrainingError("has no rows: give some of the rows the model was tested with")
        return to_sample(table, columns, catalogue)
    except TrainingError as error:
        raise TrainingError(f"the sample {file.name} {error}") from error


def read_table(text: str, expected: Sequence[str]) -> Table:
    """Every error continues a sentence that begins with the sample."""
    if not text.lstrip().startswith(("[", "{")):
        return read_csv(text)
    try:
        document = json.loads(text)
    except ValueError as error:
        try:
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise TrainingError(f"is no JSON: {error}") from error
    if isinstance(document, list):
        return from_list(document)
    if set(document) <= {"columns", "index", "data"} and {"columns", "data"} <= set(document):
        return checked(document["columns"], document["data"])
    if set(document) == {"schema", "data"}:
        index = document["schema"].get("primaryKey", [])
        records = [
            {name: cell for name, cell in row.items() if name not in index}
            for row in document["data"]
        ]
        return from_records(records)
    return from_object(document, expected)


def from_list(document: list[Any]) -> Table:
    if all(isinstance(row, dict) for row in document):
        return from_records(document)
    if all(isinstance(row, list) for row in document):
        return checked(None, document)
    raise TrainingError("is a list of neither objects nor lists")


def from_records(records: list[dict[str, Any]]) -> Table:
    """JSON lines may leave nulls out; a column is missing only where no row has it."""
    names = list(dict.fromkeys(name for record in records for name in record))
    return checked(names, [[record.get(name) for name in names] for record in records])


def from_object(document: dict[str, Any], expected: Sequence[str]) -> Table:
    """By column or by row, `{outer: {inner: cell}}`: whichever side bears the columns' names."""
    parts = list(document.values())
    if parts and all(isinstance(part, list) for part in parts):
        if len({len(part) for part in parts}) > 1:
            raise TrainingError("has columns of different lengths")
        return checked(list(document), [list(row) for row in zip(*parts, strict=True)])
    if not parts or not all(isinstance(part, dict) for part in parts):
        return from_records([document] if document else [])
    inner = {name for part in parts for name in part}
    if len(inner & set(expected)) > len(set(document) & set(expected)):
        return from_records(parts)
    labels = list(dict.fromkeys(label for part in parts for label in part))
    return checked(list(document), [[part.get(label) for part in parts] for label in labels])


def read_csv(text: str) -> Table:
    lines = [row for row in csv.reader(io.StringIO(text)) if row]
    if not lines:
        raise TrainingError("has no rows: give some of the rows the model was tested with")
    header, *rows = lines
    start = 1 if header[0] in INDEX_NAMES else 0
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise TrainingError(f"has {len(row)} cells in row {number}, its header {len(header)}")
    cells = [[None if cell == "" else cell for cell in row[start:]] for row in rows]
    return replace(checked(header[start:], cells), is_text=True)


def checked(names: Sequence[Any] | None, rows: Any) -> Table:  # noqa: ANN401
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise TrainingError("has no list of rows")
    width = len(names) if names is not None else len(rows[0]) if rows else 0
    for number, row in enumerate(rows):
        if len(row) != width:
            raise TrainingError(f"has {len(row)} cells in row {number} where {width} are due")
    if names is None:
        return Table(None, rows)
    texts = tuple(str(name) for name in names)
    twice = sorted({name for name in texts if texts.count(name) > 1})
    if twice:
        raise TrainingError(f"names columns twice: {', '.join(twice)}")
    return Table(texts, rows)


def to_sample(table: Table, columns: tuple[Column, ...], catalogue: Features) -> Sample:
    if table.names is None:
        if len(table.rows[0]) != len(columns):
            raise TrainingError(
                f"has {len(table.rows[0])} columns without names, the model {len(columns)}"
            )
        cells = dict(zip(names_of(columns), zip(*table.rows, strict=True), strict=True))
    else:
        cells = dict(zip(table.names, zip(*table.rows, strict=True), strict=True))
        columns = with_categories(cells, columns, catalogue)
        raw = {c.feature for c in columns if isinstance(c, OneHot) and c.name not in cells}
        provided = [
            column.name
            for column in columns
            if column.name in cells or (isinstance(column, OneHot) and column.feature in cells)
        ]
        extra = [name for name in table.names if name not in {*names_of(columns), *raw}]
        if provided != names_of(columns) or extra:
            check_sample_names([*provided, *extra], columns)
    values = np.empty((len(table.rows), len(columns)))
    for index, column in enumerate(columns):
        if column.name in cells or not isinstance(column, OneHot):
            values[:, index] = [
                to_number(cell, column, row, table.is_text)
                for row, cell in enumerate(cells[column.name])
            ]
        else:
            values[:, index] = [
                to_indicator(cell, column, row) for row, cell in enumerate(cells[column.feature])
            ]
    return Sample(columns, values)


def check_sample_names(provided: list[str], columns: tuple[Column, ...]) -> None:
    expected = names_of(columns)
    missing = [name for name in expected if name not in provided]
    extra = [name for name in provided if name not in expected]
    problems = []
    if missing:
        problems.append(f"lacks the columns {', '.join(missing)}")
    if extra:
        problems.append(f"has columns that the model has not: {', '.join(extra)}")
    raise TrainingError(" and ".join(problems))


def with_categories(
    cells: dict[str, Sequence[Any]], columns: tuple[Column, ...], catalogue: Features
) -> tuple[Column, ...]:
    """
    Columns that the catalogue does not know are one-hot where the sample has the category's texts
    in their place: `device` for `device_ios`.
    """
    names = names_of(columns)
    texts = [
        name
        for name, values in cells.items()
        if name not in names
        and name not in catalogue.numeric
        and any(isinstance(value, str) for value in values)
    ]

    def known(column: Column) -> Column:
        if not isinstance(column, Numeric) or column.name in cells:
            return column
        begins = [name for name in texts if column.name.startswith(f"{name}_")]
        if not begins:
            return column
        feature = max(begins, key=len)
        return OneHot(feature, column.name.removeprefix(f"{feature}_"))

    return tuple(known(column) for column in columns)


def to_indicator(cell: object, column: OneHot, row: int) -> float:
    if cell is not None and not isinstance(cell, str):
        raise TrainingError(
            f"has {json.dumps(cell)} in column {column.feature}, row {row}: a category is a text"
        )
    return float(cell == column.level)


def to_number(cell: object, column: Column, row: int, is_text: bool) -> float:
    """Null is NaN, a truth value 0 or 1, a category its code. In CSV texts are read as numbers."""
    value: object = cell
    if isinstance(column, Ordinal) and isinstance(cell, str):
        if cell in column.levels:
            return float(column.levels.index(cell))
        # Codes may stand in a CSV in place of the texts; any other text is an unknown category.
        value = text_number(cell) if is_text else None
        if value is None:
            return math.nan
    elif is_text and isinstance(cell, str):
        value = text_number(cell)
    if cell is None:
        if isinstance(column, OneHot):
            raise TrainingError(
                f"has null in column {column.name}, row {row}: a one-hot column is 0 or 1"
            )
        return math.nan
    if not isinstance(value, bool | int | float):
        raise TrainingError(
            f"has {json.dumps(cell)} in column {column.name}, row {row}: "
            "the model takes numbers there"
        )
    number = float(value)
    if math.isinf(number) or abs(number) > FLOAT32_MAX:
        raise TrainingError(
            f"has {number} in column {column.name}, row {row}: beyond the largest float32"
        )
    codes = range(len(column.levels)) if isinstance(column, Ordinal) else None
    if codes is not None and not math.isnan(number) and number not in codes:
        raise TrainingError(
            f"has {number:g} in column {column.name}, row {row}: its codes are 0 to {codes[-1]}"
        )
    return number


def text_number(text: str) -> float | None:
    """As pandas and spreadsheets write numbers, truth values and nulls."""
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return float(lowered == "true")
    if lowered in ("nan", "na", "null", "none", "<na>"):
        return math.nan
    try:
        return float(lowered)
    except ValueError:
        return None
