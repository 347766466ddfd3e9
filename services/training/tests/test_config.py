from pathlib import Path

import pytest

from churn_training.columns import Features
from churn_training.config import HOME, Configuration, read_configuration
from churn_training.errors import TrainingError

MARKET = 'name = "fr"\nrows = ["fr"]\nvariant = "plain"\nmin_rows = 10\n'
VARIANT = 'encoding = "one-hot"\nfeatures = "all"\n[hyperparameters]\nmax_depth = 3\n'


def read(
    features: Features, home: Path, market: str = MARKET, variant: str = VARIANT
) -> Configuration:
    for folder, name, text in (("markets", "fr", market), ("variants", "plain", variant)):
        (home / folder).mkdir(exist_ok=True)
        (home / folder / f"{name}.toml").write_text(text)
    return read_configuration("fr", "usual", features, home)


def test_every_shipped_market_goes_with_every_shipped_variant(features: Features) -> None:
    markets = sorted(file.stem for file in (HOME / "markets").glob("*.toml"))
    variants = sorted(file.stem for file in (HOME / "variants").glob("*.toml"))
    assert {"default", "gb", "us-nj"} <= set(markets)
    assert variants == ["deep", "light", "ordinal", "standard"]
    for market in markets:
        for variant in variants:
            made = read_configuration(market, variant, features)
            assert (made.market, made.variant) == (market, variant)
            assert (made.rows is None) == (market == "default")


def test_variants_differ_in_what_they_say(features: Features) -> None:
    light = read_configuration("gb", "light", features)
    assert "stake_7d" not in light.features
    assert light.last_days == 182
    assert read_configuration("gb", "ordinal", features).encoding == "ordinal"
    assert read_configuration("gb", "deep", features).hyperparameters["max_depth"] == 8


def test_a_market_overrides_its_variant(features: Features, tmp_path: Path) -> None:
    market = f'{MARKET}last_days = 90\nfeatures = ["stake_7d", "bets_7d"]\n'
    market += "[hyperparameters]\nmax_depth = 5\ngamma = 1\n"
    made = read(features, tmp_path, market, VARIANT.replace('"all"', '{exclude = ["bets_7d"]}'))
    assert made.features == ("bets_7d", "stake_7d")
    assert made.hyperparameters == {"max_depth": 5, "gamma": 1}
    assert (made.last_days, made.rows, made.variant) == (90, ("fr",), "plain")


@pytest.mark.parametrize(
    ("name", "variant", "message"),
    [
        ("xx", "usual", r"no market xx; there are: au-nsw, .*write markets/xx\.toml"),
        ("../gb", "usual", r"no market \.\./gb"),
        ("gb", "huge", r"no variant huge; there are: deep, .*write variants/huge\.toml"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    name: str, variant: str, message: str, features: Features
) -> None:
    with pytest.raises(TrainingError, match=message):
        read_configuration(name, variant, features)


@pytest.mark.parametrize(
    ("market", "variant", "message"),
    [
        (MARKET.replace('"fr"\n', '"gb"\n'), VARIANT, r"markets/fr\.toml: name is gb"),
        (MARKET + "colour = 1\n", VARIANT, r"markets/fr\.toml: colour is not known; known are"),
        (MARKET.replace("10", "'many'"), VARIANT, "min_rows is 'many'; it must be a whole number"),
        (MARKET.replace("min_rows = 10\n", ""), VARIANT, "min_rows is missing"),
        (MARKET + "last_days = 3\n", VARIANT, "last_days is 3; it must be a whole number of at"),
        (MARKET.replace('["fr"]', "[1]"), VARIANT, "rows is .* a list of different texts, or all"),
        (MARKET + "[", VARIANT, r"markets/fr\.toml cannot be read"),
        (MARKET, VARIANT.replace("one-hot", "hashed"), r"variants/plain\.toml: encoding is 'hash"),
        (MARKET, VARIANT.replace('"all"', '["bets"]'), "features names bets, which the catalogue"),
        (MARKET, VARIANT.replace('"all"', "{only = []}"), "features may hold exclude and nothing"),
        (MARKET, VARIANT + "depth = 3\n", r"hyperparameters\.depth is not known"),
        (MARKET, VARIANT + "gamma = nan\n", r"hyperparameters\.gamma is nan; it must be a number"),
        (MARKET, VARIANT + "subsample = 2\n", "subsample is 2; it must be .* at most 1"),
        (MARKET, VARIANT + "learning_rate = 0\n", "learning_rate is 0; it must be a number above"),
        (MARKET, VARIANT + 'tree_method = "gpu"\n', "tree_method is 'gpu'; it must be one of"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_key(
    market: str, variant: str, message: str, features: Features, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=message):
        read(features, tmp_path, market, variant)
