"""What becomes of a challenger, by what stands in MLflow."""

import json
from dataclasses import replace
from typing import Any

import pytest

from churn_orchestration.retraining.ledger import Model, ModelVersion
from churn_orchestration.retraining.settings import Criteria, Policy
from churn_orchestration.retraining.trial import decide_trial, milliseconds_of

CRITERIA = Criteria(1_000, 60, 24, 0.05, 200, 0.6, 0.15)
BEGAN = "2026-05-01T10:00:00.000Z"
HOUR = 3_600_000


def figures(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    usual = {
        "epoch": 3,
        "rows": 1_000,
        "skippedRows": 0,
        "agreement": 0.8,
        "scoreShift": -0.05,
        "meanAbsoluteDifference": 0.1,
        "shadowMicrosecondsPerRow": 20.0,
        "championMicrosecondsPerRow": 15.0,
        "updatedAt": "2026-05-01T11:00:00.000Z",
    }
    return {**usual, **fields}


def version(shadow: dict[str, Any] | None = None, **tags: Any) -> ModelVersion:  # noqa: ANN401
    documents = {
        "challenged": {"at": BEGAN},
        "comparison": {"champion": "3"},
        **({} if shadow is None else {"shadow": shadow}),
        **tags,
    }
    texts = {
        f"churnstream.{name}": value if isinstance(value, str) else json.dumps(value)
        for name, value in documents.items()
    }
    return ModelVersion("churn-gb", "4", "run", texts, 0)


def decide(
    challenger: ModelVersion,
    hours: float = 1,
    policy: Policy = Policy.auto,
    champion: str = "3",
    **tags: str,
) -> tuple[str, str]:
    model = Model("churn-gb", {"champion": champion, "challenger": "4"}, tags)
    now = milliseconds_of(BEGAN) + hours * HOUR
    decision = decide_trial(model, challenger, CRITERIA, policy, now)
    return decision.step, decision.reason


def test_who_met_everything_is_promoted_or_asked_about_by_policy() -> None:
    assert decide(version(figures())) == ("promote", "criteria-met")
    assert decide(version(figures()), policy=Policy.confirm) == ("ask", "criteria-met")


def test_a_person_is_asked_once_in_a_trial() -> None:
    asked = version(figures(), trial={"outcome": "asked", "challengedAt": BEGAN})
    assert decide(asked, policy=Policy.confirm) == ("wait", "asked")
    earlier = {"outcome": "asked", "challengedAt": "2026-04-01T10:00:00.000Z"}
    again = version(figures(), trial=earlier)
    assert decide(again, policy=Policy.confirm) == ("ask", "criteria-met")
    assert decide(asked, hours=25, policy=Policy.confirm) == ("take-off", "too-long")


@pytest.mark.parametrize(
    ("shadow", "hours"),
    [(figures(rows=999), 1), (figures(), 0.99), (None, 2), (figures(rows=0), 2)],
)
def test_too_little_seen_waits_until_it_takes_too_long(
    shadow: dict[str, Any] | None, hours: float
) -> None:
    assert decide(version(shadow), hours) == ("wait", "not-enough")
    if hours >= 1:
        assert decide(version(shadow), 25)[0] == "take-off"


def test_a_bad_figure_decides_nothing_before_enough_was_seen() -> None:
    assert decide(version(figures(rows=10, agreement=0.1))) == ("wait", "not-enough")


@pytest.mark.parametrize(
    "bad",
    [
        {"agreement": 0.59},
        {"scoreShift": 0.16},
        {"scoreShift": -0.16},
        {"shadowMicrosecondsPerRow": 201.0},
        {"skippedRows": 60},
    ],
)
def test_who_fails_a_criterion_is_taken_off(bad: dict[str, Any]) -> None:
    assert decide(version(figures(**bad))) == ("take-off", "criteria-failed")


@pytest.mark.parametrize(
    "bound",
    [
        {"agreement": 0.6},
        {"scoreShift": 0.15},
        {"shadowMicrosecondsPerRow": 200.0},
        {"skippedRows": 52},
    ],
)
def test_a_bound_itself_holds(bound: dict[str, Any]) -> None:
    assert decide(version(figures(**bound)))[0] == "promote"


def test_figures_of_an_earlier_trial_do_not_count() -> None:
    stale = figures(updatedAt="2026-05-01T09:59:59.000Z")
    assert decide(version(stale), 2) == ("wait", "not-enough")


@pytest.mark.parametrize("verdict", ["refused", "unhealthy"])
def test_whom_the_scorers_refuse_is_taken_off_at_once(verdict: str) -> None:
    refused = version(figures(), verdict=verdict)
    assert decide(refused, 0.01) == ("take-off", verdict)
    assert decide(version(figures(), verdict="accepted"))[0] == "promote"


def test_a_comparison_with_another_champion_is_worth_nothing() -> None:
    assert decide(version(figures()), champion="5") == ("take-off", "champion-moved")


def test_a_pinned_model_waits() -> None:
    assert decide(version(figures()), **{"churnstream.pinned": "3"}) == ("wait", "pinned")


def test_whom_somebody_promoted_is_no_challenger_any_more() -> None:
    assert decide(version(None), champion="4") == ("conclude", "promoted")


def test_a_challenger_of_a_person_is_left_alone() -> None:
    theirs = version(figures())
    tags = {k: v for k, v in theirs.tags.items() if k != "churnstream.challenged"}
    assert decide(replace(theirs, tags=tags), 100) == ("wait", "not-ours")
