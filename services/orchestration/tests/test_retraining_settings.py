"""What may be set, and how a mistake is told."""

import pytest

from churn_orchestration.retraining.settings import Policy, read_retraining_settings


def test_a_person_promotes_unless_it_is_said_otherwise() -> None:
    assert read_retraining_settings({}).policy is Policy.confirm
    assert read_retraining_settings({"RETRAINING_PROMOTION": "auto"}).policy is Policy.auto


def test_numbers_are_taken_from_the_environment() -> None:
    env = {"TRIAL_LEAST_ROWS": "300", "RETRAINING_COOLDOWN_DAYS": "0.5"}
    settings = read_retraining_settings(env)
    assert (settings.criteria.least_rows, settings.guards.cooldown_days) == (300, 0.5)


def test_every_mistake_is_named_at_once() -> None:
    env = {
        "RETRAINING_PROMOTION": "maybe",
        "RETRAINING_LEAST_LABELS": "10.5",
        "TRIAL_LEAST_AGREEMENT": "60",
        "TRIAL_MOST_HOURS": "soon",
    }
    with pytest.raises(ValueError, match="cannot start") as caught:
        read_retraining_settings(env)
    for name in env:
        assert f"{name}=" in str(caught.value)
