"""How trials end, on what stands in MLflow."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from churn_orchestration.retraining import jobs, promotion
from churn_orchestration.retraining.jobs import trials
from churn_orchestration.retraining.settings import RETRAINING, Policy

from .retraining_world import MODEL, Registered, RetrainingWorld, materialized
from .world import failure_of


def ago(minutes: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()


def put_challenger(registered: Registered, minutes: float = 90, **figures: Any) -> None:  # noqa: ANN401
    shadow = {
        "rows": 20_000,
        "skippedRows": 0,
        "agreement": 0.9,
        "scoreShift": 0.01,
        "shadowMicrosecondsPerRow": 20,
        "updatedAt": ago(0),
        **figures,
    }
    tags = {
        "churnstream.challenged": {"at": ago(minutes)},
        "churnstream.comparison": {"champion": "1"},
        "churnstream.shadow": shadow,
    }
    texts = {name: json.dumps(value) for name, value in tags.items()}
    registered.set_alias(MODEL, "challenger", registered.add_version(MODEL, **texts))


@pytest.fixture
def auto(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(RETRAINING, policy=Policy.auto)
    monkeypatch.setattr(jobs, "RETRAINING", settings)
    monkeypatch.setattr(promotion, "RETRAINING", settings)


def tick(loop: RetrainingWorld) -> list[dg.RunRequest]:
    context = dg.build_sensor_context(instance=loop.instance)
    return trials(context, ledger=loop.ledger).run_requests


@pytest.mark.usefixtures("auto")
def test_policy_auto_promotes_and_leaves_the_evidence(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered)
    [request] = tick(loop)
    assert request.partition_key == "gb"
    result = loop.run("trial")
    assert materialized(result) == ["promotion"]
    assert registered.models[MODEL]["aliases"] == {"champion": "2"}
    trial = registered.tag("2", "churnstream.trial")
    assert (trial["outcome"], trial["policy"]) == ("promoted", "auto")
    assert {one["name"]: one["holds"] for one in trial["criteria"]} == dict.fromkeys(
        ["rows", "minutes", "skipped share", "µs per row", "agreement", "score shift"], True
    )
    assert registered.metrics[f"run-{MODEL}-2"]["trial_agreement"] == 0.9
    assert registered.model_tag("churnstream.retraining")["outcome"] == "promoted"
    assert "is promoted by policy" in loop.told()[0]
    assert tick(loop) == []


def test_policy_confirm_tells_a_person_the_command_once(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered)
    assert len(tick(loop)) == 1
    assert loop.run("trial").success
    assert registered.models[MODEL]["aliases"] == {"champion": "1", "challenger": "2"}
    [told] = loop.told()
    assert "npm run model -- promote gb 2" in told
    assert tick(loop) == []
    assert loop.run("trial").success
    assert len(loop.told()) == 1


def test_what_a_person_then_promotes_is_challenger_no_more(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered)
    loop.run("trial")
    registered.set_alias(MODEL, "champion", "2")
    assert len(tick(loop)) == 1
    loop.run("trial")
    assert registered.models[MODEL]["aliases"] == {"champion": "2"}
    assert registered.tag("2", "churnstream.trial")["outcome"] == "promoted"
    assert "promoted by a person" in loop.told()[-1]


def test_who_fails_is_taken_off_with_the_reason(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered, agreement=0.2)
    assert len(tick(loop)) == 1
    loop.run("trial")
    assert registered.models[MODEL]["aliases"] == {"champion": "1"}
    trial = registered.tag("2", "churnstream.trial")
    assert trial["outcome"] == "taken off: criteria-failed"
    assert "agreement 0.2 (≥ 0.6)" in trial["detail"]


def test_nothing_happens_while_too_little_was_seen(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered, minutes=1)
    assert tick(loop) == []
    assert loop.run("trial").success
    assert registered.models[MODEL]["aliases"]["challenger"] == "2"
    assert loop.calls() == []


@pytest.mark.usefixtures("auto")
def test_a_promotion_that_fails_leaves_the_champion_and_is_tried_later(
    loop: RetrainingWorld, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_challenger(registered)
    loop.answer(model={"code": 1, "why": "Kafka does not tell"})
    result = loop.run("trial")
    assert "Kafka does not tell" in failure_of(result)[1]
    assert registered.models[MODEL]["aliases"] == {"champion": "1", "challenger": "2"}
    # Not at once: the run has just failed.
    assert tick(loop) == []
    monkeypatch.setattr(jobs, "FAILED_SECONDS", 0)
    loop.answer()
    assert len(tick(loop)) == 1
    loop.run("trial")
    assert registered.models[MODEL]["aliases"] == {"champion": "2"}


@pytest.mark.usefixtures("auto")
def test_a_run_that_ended_between_promoting_and_saying_so_is_made_whole(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered)
    tags = registered.versions[MODEL, "2"]["tags"]
    tags["churnstream.trial"] = json.dumps({"outcome": "promoting", "criteria": []})
    registered.set_alias(MODEL, "champion", "2")
    loop.run("trial")
    assert registered.models[MODEL]["aliases"] == {"champion": "2"}
    assert "promoted by policy" in loop.told()[0]


@pytest.mark.parametrize("figures", [{"agreement": 0.2}, {}])
def test_what_could_not_be_told_is_told_later(
    figures: dict[str, Any], loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered, **figures)
    away = loop.folder / "told.jsonl.away"
    away.touch()
    assert not loop.run("trial").success
    away.unlink()
    assert loop.run("trial").success
    assert len(loop.told()) == 1


@pytest.mark.usefixtures("auto")
def test_a_promotion_that_could_not_be_told_is_told_later(
    loop: RetrainingWorld, registered: Registered
) -> None:
    put_challenger(registered)
    away = loop.folder / "told.jsonl.away"
    away.touch()
    assert not loop.run("trial").success
    assert registered.models[MODEL]["aliases"]["champion"] == "2"
    away.unlink()
    assert loop.run("trial").success
    assert "promoted by policy" in loop.told()[0]
    assert registered.tag("2", "churnstream.trial")["criteria"][0]["name"] == "rows"
