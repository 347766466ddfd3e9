"""What is trained for a market: which rows, features, encoding and hyperparameters?"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .columns import Features
from .dataset import HORIZON_DAYS
from .errors import TrainingError
from .market import MARKET

HOME = Path(__file__).resolve().parents[1]
# In place of a variant's name: the one that the market's file names.
USUAL = "usual"
ENCODINGS = ("one-hot", "ordinal")
# A training day, the gap and a test day.
LEAST_DAYS = HORIZON_DAYS + 2


def _number(at_least: float, at_most: float | None = None, above: bool = False) -> Callable:
    def check(value: object) -> str | None:
        limit = "" if at_most is None else f" and at most {at_most:g}"
        wanted = f"a number {'above' if above else 'of at least'} {at_least:g}{limit}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return wanted
        too_small = value <= at_least if above else value < at_least
        # Written so that nan, which TOML knows, is refused too.
        return None if not too_small and value <= (at_most or float("inf")) else wanted

    return check


def _integer(at_least: int) -> Callable:
    def check(value: object) -> str | None:
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= at_least
        return None if whole else f"a whole number of at least {at_least}"

    return check


def _one_of(*choices: str) -> Callable:
    return lambda value: None if value in choices else f"one of {', '.join(choices)}"


# What a file may set; the objective, the seed and missing values are ours.
HYPERPARAMETERS: dict[str, Callable[[object], str | None]] = {
    "n_estimators": _integer(1),
    "max_depth": _integer(0),
    "max_leaves": _integer(0),
    "max_bin": _integer(2),
    "num_parallel_tree": _integer(1),
    "learning_rate": _number(0, above=True),
    "gamma": _number(0),
    "min_child_weight": _number(0),
    "max_delta_step": _number(0),
    "reg_alpha": _number(0),
    "reg_lambda": _number(0),
    "scale_pos_weight": _number(0, above=True),
    "subsample": _number(0, 1, above=True),
    "colsample_bytree": _number(0, 1, above=True),
    "colsample_bylevel": _number(0, 1, above=True),
    "colsample_bynode": _number(0, 1, above=True),
    "tree_method": _one_of("hist", "approx", "exact"),
    "grow_policy": _one_of("depthwise", "lossguide"),
}

MARKET_HELP = (
    "to add one, write markets/{name}.toml with name, rows, variant and min_rows, as "
    "markets/gb.toml"
)
VARIANT_HELP = (
    "to add one, write variants/{name}.toml with encoding, features and [hyperparameters], as "
    "variants/standard.toml"
)


@dataclass(frozen=True)
class Configuration:
    """A market and a variant, put together: all that is chosen before the rows are seen."""

    market: str
    variant: str
    # Codes of the rows to learn from; None takes all.
    rows: tuple[str, ...] | None
    features: tuple[str, ...]
    encoding: str
    # The newest days only; None takes all.
    last_days: int | None
    min_rows: int
    hyperparameters: dict[str, Any]

    def document(self) -> dict[str, Any]:
        return {
            "market": self.market,
            "variant": self.variant,
            "rows": "all" if self.rows is None else list(self.rows),
            "features": list(self.features),
            "encoding": self.encoding,
            "lastDays": self.last_days,
            "minRows": self.min_rows,
            "hyperparameters": self.hyperparameters,
        }


def read_configuration(
    market: str, variant: str, catalogue: Features, home: Path = HOME
) -> Configuration:
    """`variant` may be `usual`. Raises TrainingError that names the file and the key."""
    of_market = _File(_known(home, "markets", market, MARKET_HELP))
    named = of_market.text("name")
    if named != market:
        raise of_market.wrong("name", f"is {named}: it must be {market}, as the file is named")
    usual = of_market.text("variant")
    chosen = usual if variant == USUAL else variant
    of_variant = _File(_known(home, "variants", chosen, VARIANT_HELP))
    # Both are read before one is taken: a mistake in the other must not lie there unseen.
    features = [file.features(catalogue) for file in (of_market, of_variant)]
    last_days = [file.days() for file in (of_market, of_variant)]

    configuration = Configuration(
        market=market,
        variant=chosen,
        rows=of_market.codes("rows"),
        features=next(filter(None, features), catalogue.names),
        encoding=of_variant.encoding(),
        last_days=next(filter(None, last_days), None),
        min_rows=of_market.whole("min_rows", 1),
        hyperparameters={**of_variant.hyperparameters(), **of_market.hyperparameters()},
    )
    for file in (of_market, of_variant):
        file.check_all_read()
    return configuration


def _known(home: Path, folder: str, name: str, how: str) -> Path:
    file = home / folder / f"{name}.toml"
    if MARKET.fullmatch(name) is None or not file.is_file():
        known = ", ".join(sorted(file.stem for file in (home / folder).glob("*.toml"))) or "none"
        kind = folder.removesuffix("s")
        raise TrainingError(
            f"there is no {kind} {name}; there are: {known}; {how.format(name=name)}"
        )
    return file


class _File:
    """One TOML file; remembers which of its keys were asked for."""

    def __init__(self, file: Path) -> None:
        self.name = f"{file.parent.name}/{file.name}"
        try:
            self.values: Mapping[str, Any] = tomllib.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise TrainingError(f"{self.name} cannot be read: {error}") from error
        self.asked: set[str] = set()

    def wrong(self, key: str, what: str) -> TrainingError:
        return TrainingError(f"{self.name}: {key} {what}")

    def take(self, key: str) -> Any:  # noqa: ANN401
        self.asked.add(key)
        return self.values.get(key)

    def check_all_read(self) -> None:
        unknown = [key for key in self.values if key not in self.asked]
        if unknown:
            known = ", ".join(sorted(self.asked))
            raise self.wrong(", ".join(unknown), f"is not known; known are: {known}")

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or value == "":
            raise self.wrong(key, f"{_found(value)}; it must be a text")
        return value

    def whole(self, key: str, at_least: int) -> int:
        value = self.take(key)
        wanted = _integer(at_least)(value)
        if wanted is not None:
            raise self.wrong(key, f"{_found(value)}; it must be {wanted}")
        return int(value)

    def days(self) -> int | None:
        return None if self.take("last_days") is None else self.whole("last_days", LEAST_DAYS)

    def encoding(self) -> str:
        value = self.take("encoding")
        if value not in ENCODINGS:
            raise self.wrong("encoding", f"{_found(value)}; it must be {' or '.join(ENCODINGS)}")
        return str(value)

    def codes(self, key: str) -> tuple[str, ...] | None:
        """`all` or left out: every row."""
        value = self.take(key)
        if value is None or value == "all":
            return None
        return self.names(key, value)

    def names(self, key: str, value: object) -> tuple[str, ...]:
        is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
        if not is_list or not value or len(set(value)) < len(value):
            raise self.wrong(key, f"{_found(value)}; it must be a list of different texts, or all")
        return tuple(value)

    def features(self, catalogue: Features) -> tuple[str, ...] | None:
        """`all`, a list, or { exclude = [list] }, in the catalogue's order; None if left out."""
        value = self.take("features")
        if value is None:
            return None
        if value == "all":
            return catalogue.names
        excluding = isinstance(value, dict) and list(value) == ["exclude"]
        key = "features.exclude" if excluding else "features"
        if isinstance(value, dict) and not excluding:
            raise self.wrong(key, "may hold exclude and nothing else")
        named = self.names(key, value["exclude"] if excluding else value)
        unknown = [name for name in named if name not in catalogue.names]
        if unknown:
            raise self.wrong(
                key,
                f"names {', '.join(unknown)}, which the catalogue has not; "
                f"there are: {', '.join(catalogue.names)}",
            )
        kept = tuple(name for name in catalogue.names if (name in named) != excluding)
        if not kept:
            raise self.wrong(key, "leaves no feature")
        return kept

    def hyperparameters(self) -> dict[str, Any]:
        values = self.take("hyperparameters")
        if values is None:
            return {}
        if not isinstance(values, dict):
            raise self.wrong("hyperparameters", "must be a table")
        for key, value in values.items():
            check = HYPERPARAMETERS.get(key)
            if check is None:
                known = ", ".join(HYPERPARAMETERS)
                raise self.wrong(f"hyperparameters.{key}", f"is not known; known are: {known}")
            wanted = check(value)
            if wanted is not None:
                raise self.wrong(f"hyperparameters.{key}", f"{_found(value)}; it must be {wanted}")
        return values


def _found(value: object) -> str:
    return "is missing" if value is None else f"is {value!r}"
