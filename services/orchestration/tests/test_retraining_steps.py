"""From a request to a challenger, and what stands in MLflow after each way that it can go."""

import json
from dataclasses import replace
from typing import Any

import pytest

from churn_orchestration.retraining import steps

from .retraining_world import ASKED_AT, MODEL, Registered, RetrainingWorld, materialized
from .test_retraining_guards import window
from .world import failure_of, retries_of

STEPS = ["retraining_request", "training_set", "admitted_set", "candidate", "comparison"]
STEPS.append("challenger")


def test_a_better_candidate_becomes_challenger_with_its_evidence(
    loop: RetrainingWorld, registered: Registered
) -> None:
    result = loop.retrain()
    assert result.success
    assert materialized(result) == STEPS
    assert loop.calls() == ["replay", "retraining_set", "train", "score", "score", "judge", "model"]
    assert registered.models[MODEL]["aliases"] == {"champion": "1", "challenger": "2"}
    assert registered.tag("2", "churnstream.comparison")["verdict"] == "better"
    assert registered.tag("2", "churnstream.comparison")["champion"] == "1"
    assert registered.tag("2", "churnstream.retraining")["reason"] == "performance-fell"
    assert registered.tag("2", "churnstream.challenged")["request"] == f"4-{ASKED_AT}"
    assert registered.model_tag("churnstream.retraining")["outcome"] == "challenger"
    metrics = registered.metrics[f"run-{MODEL}-2"]
    assert metrics["comparison_auc_difference"] == 0.1
    assert metrics["comparison_log_loss_p"] == 0.001
    report = json.loads(loop.bucket.read(f"1/run-{MODEL}-2/retraining/comparison.json"))
    assert report["request"]["evidence"] == {"auc": 0.7}
    page = loop.bucket.read(f"1/run-{MODEL}-2/retraining/comparison.md").decode()
    assert "| AUC | 0.7000 | 0.8000 | +0.1000 | +0.0500 to +0.1500 | 0.001 |" in page
    [told] = loop.told()
    assert "it is challenger now" in told
    assert "AUC 0.8000 against 0.7000" in told
    assert loop.outcome_tag(result) == "challenger"


def test_both_are_scored_by_the_one_command_on_the_same_file(loop: RetrainingWorld) -> None:
    loop.retrain()
    lines = (loop.folder / "calls.log").read_text().splitlines()
    scored = [line.split() for line in lines if line.startswith("score ")]
    cohort = f"s3://bucket/retraining/{MODEL}/4-{ASKED_AT}/cohort.csv"
    assert [words[1] for words in scored] == [cohort, cohort]
    models = [words[words.index("--model") + 1] for words in scored]
    assert models == [f"models:/{MODEL}/1", f"models:/{MODEL}/2"]


def test_nothing_after_the_request_is_learned_and_the_champions_days_judge_nothing(
    loop: RetrainingWorld,
) -> None:
    loop.retrain()
    assert f"--until {ASKED_AT} --market gb" in loop.call("replay")
    assert "--seen-until 2025-12-29" in loop.call("retraining_set")
    assert "--test-days 14" in loop.call("retraining_set")
    assert "--test-days 14" in loop.call("train")


def test_labels_reach_back_as_far_as_it_is_said(
    loop: RetrainingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "RETRAINING", replace(steps.RETRAINING, history_days=100))
    loop.retrain()
    from_at = ASKED_AT - 100 * 86_400_000
    assert f"--until {ASKED_AT} --from {from_at} --market gb" in loop.call("replay")


def test_the_cooldown_begins_with_what_was_learned_from(
    loop: RetrainingWorld, registered: Registered
) -> None:
    loop.retrain()
    learned = registered.model_tag("churnstream.retrained")
    assert learned["version"] == "2"
    # The set's newest row is older than the request.
    assert learned["eventAt"] == 1_777_000_000_000 + 86_400_000
    again = loop.retrain(offset=5, requested_at=ASKED_AT + 86_400_000)
    assert again.success
    assert materialized(again) == []
    assert loop.outcome_tag(again) == "refused: cooldown"
    refused = registered.model_tag("churnstream.retraining")
    assert (refused["guard"], refused["request"]["offset"]) == ("cooldown", 5)
    assert "is not trained: cooldown" in loop.told()[-1]
    assert loop.calls().count("train") == 1


@pytest.mark.parametrize(
    ("fields", "guard"),
    [
        ({"usable": 10, "churned": 3}, "too-few-labels"),
        ({"problem": "the rows span 9 days"}, "cannot-split"),
        (
            {
                "quality": [
                    {"feature": "device", "nulls": 0.9, "reference_nulls": 0.0}
                    | {"unseen": None, "reference_unseen": None}
                ]
            },
            "data-quality",
        ),
    ],
)
def test_a_set_that_is_refused_trains_nothing_and_ends_well(
    fields: dict[str, Any], guard: str, loop: RetrainingWorld, registered: Registered
) -> None:
    loop.answer(retraining_set=fields)
    result = loop.retrain()
    assert result.success
    assert materialized(result) == STEPS[:2]
    assert loop.calls() == ["replay", "retraining_set"]
    assert registered.model_tag("churnstream.retraining")["guard"] == guard
    assert registered.models[MODEL]["aliases"] == {"champion": "1"}
    assert f"is not trained: {guard}" in loop.told()[0]


def test_a_feed_that_the_monitor_found_broken_is_not_learned_from(loop: RetrainingWorld) -> None:
    loop.monitor([window()])
    result = loop.retrain()
    assert result.success
    assert loop.calls() == []
    assert loop.outcome_tag(result) == "refused: broken-feed"


@pytest.mark.parametrize("verdict", ["no-better", "worse", "too-few"])
def test_a_candidate_that_does_not_win_stays_registered_without_an_alias(
    verdict: str, loop: RetrainingWorld, registered: Registered
) -> None:
    loop.answer(judge={"verdict": verdict})
    result = loop.retrain()
    assert result.success
    assert materialized(result) == STEPS[:-1]
    assert registered.models[MODEL]["aliases"] == {"champion": "1"}
    assert registered.tag("2", "churnstream.comparison")["verdict"] == verdict
    assert registered.model_tag("churnstream.retraining")["outcome"] == verdict
    assert "keeps its champion" in loop.told()[0]
    assert "model" not in loop.calls()


@pytest.mark.parametrize("step", ["replay", "retraining_set", "train", "score", "judge", "model"])
def test_a_step_that_fails_leaves_the_champion_and_says_why(
    step: str, loop: RetrainingWorld, registered: Registered
) -> None:
    loop.answer(**{step: {"code": 1, "why": f"{step} cannot"}})
    result = loop.retrain()
    assert not result.success
    assert f"{step} cannot" in failure_of(result)[1]
    assert registered.models[MODEL]["aliases"] == {"champion": "1"}


def test_trouble_is_tried_again(loop: RetrainingWorld) -> None:
    loop.answer(replay={"code": 75, "why": "Kafka is away"})
    result = loop.retrain()
    assert not result.success
    assert (retries_of(result), loop.calls().count("replay")) == (5, 6)


def test_a_run_that_begins_again_trains_no_second_version(
    loop: RetrainingWorld, registered: Registered
) -> None:
    loop.answer(judge={"code": 1})
    assert not loop.retrain().success
    loop.answer()
    assert loop.retrain().success
    assert loop.calls().count("train") == 1
    assert registered.models[MODEL]["aliases"]["challenger"] == "2"


def test_a_candidate_that_learned_from_the_cohort_is_not_compared(
    loop: RetrainingWorld, registered: Registered
) -> None:
    loop.answer(retraining_set={"trainWindow": "2026-01-01/2026-02-10"})
    result = loop.retrain()
    assert "the cohort may be no stranger to it" in failure_of(result)[1]
    assert "judge" not in loop.calls()


def test_a_challenger_that_a_person_chose_is_not_pushed_off(
    loop: RetrainingWorld, registered: Registered
) -> None:
    registered.add_version(MODEL)
    registered.set_alias(MODEL, "challenger", "2")
    result = loop.retrain()
    assert result.success
    assert registered.models[MODEL]["aliases"]["challenger"] == "2"
    assert loop.outcome_tag(result) == "not challenger: challenger-taken"
    assert "npm run model -- challenge gb 3" in loop.told()[0]


def test_a_trial_under_way_is_decided_on_first_unless_a_person_asks(
    loop: RetrainingWorld, registered: Registered
) -> None:
    challenged = '{"at": "2026-05-01T00:00:00.000Z", "request": "3-1"}'
    registered.add_version(MODEL, **{"churnstream.challenged": challenged})
    registered.set_alias(MODEL, "challenger", "2")
    result = loop.retrain()
    assert loop.outcome_tag(result) == "refused: trial-under-way"
    assert loop.calls() == []
    assert loop.retrain(requested_by="person").success
    assert registered.models[MODEL]["aliases"]["challenger"] == "3"


def test_a_model_that_nobody_registered_is_refused(
    loop: RetrainingWorld, registered: Registered
) -> None:
    registered.models.clear()
    result = loop.retrain()
    assert result.success
    assert loop.calls() == []
    assert "is not trained: no-champion" in loop.told()[0]


def test_mlflow_away_is_tried_again_and_fails(
    loop: RetrainingWorld, registered: Registered
) -> None:
    registered.status = 503
    result = loop.retrain()
    assert not result.success
    assert "MLflow answers 503" in failure_of(result)[1]
    assert retries_of(result) == 5
