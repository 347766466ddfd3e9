"""What may be set, and what is said when it is set wrongly."""

from pathlib import Path

import pytest

from churn_orchestration.config import read_settings, take_secrets


def test_the_usual_settings_name_every_market_but_the_one_for_all_others() -> None:
    settings = read_settings({})
    assert settings.time_zone == "Europe/Malta"
    assert "us-nj" in settings.markets
    assert "default" not in settings.markets


def test_every_wrong_variable_is_named_at_once(tmp_path: Path) -> None:
    wrong = {
        "CHURNSTREAM_HOME": str(tmp_path),
        "BATCH_TIME_ZONE": "Europe/Valetta",
        "BATCH_FIRST_WEEK": "2026-01-06",
        "STEP_RETRY_SECONDS": "soon",
    }
    with pytest.raises(ValueError, match="cannot start") as caught:
        read_settings(wrong)
    for name in wrong:
        assert f"{name}" in str(caught.value)


def test_a_secret_is_taken_from_its_file_once(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("of the file\n")
    env = {"KAFKA_SASL_PASSWORD_FILE": str(file), "HOME": "/"}
    take_secrets(env)
    assert env == {"KAFKA_SASL_PASSWORD": "of the file", "HOME": "/"}
    with pytest.raises(ValueError, match="DATABASE_URL_FILE"):
        take_secrets({"DATABASE_URL_FILE": str(tmp_path / "none")})
