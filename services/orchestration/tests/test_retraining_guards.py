"""Each guard refuses what it is there for, and nothing else."""

from datetime import date
from typing import Any

import pytest

from churn_orchestration.retraining.guards import (
    DAY_MS,
    guard_feed,
    guard_request,
    guard_set,
    guard_trial,
    seen_until,
)
from churn_orchestration.retraining.ledger import Model, ModelVersion
from churn_orchestration.retraining.settings import Guards

from .retraining_world import ASKED_AT, asked

GUARDS = Guards(14, 1_000, 200, 0.1, 0.5, 14, 500, 50)


def model(learned_days_ago: float | None = None, **tags: str) -> Model:
    if learned_days_ago is not None:
        at = round(ASKED_AT - learned_days_ago * DAY_MS)
        tags["churnstream.retrained"] = f'{{"version": "3", "eventAt": {at}}}'
    return Model("churn-gb", {"champion": "3"}, tags)


def guard_of(found: Any) -> str | None:  # noqa: ANN401
    return None if found is None else found.guard


@pytest.mark.parametrize(
    ("known", "by", "guard"),
    [
        (model(), "monitor", None),
        (model(14), "monitor", None),
        (model(13.99), "monitor", "cooldown"),
        (model(13.99), "schedule", "cooldown"),
        # The request stands on an earlier instant than what was learned since.
        (model(-3), "monitor", "cooldown"),
        (model(0), "person", None),
        (Model("churn-gb", {"challenger": "3"}, {}), "person", "no-champion"),
        (None, "person", "no-champion"),
    ],
)
def test_guard_request_cooldown_and_champion(
    known: Model | None, by: str, guard: str | None
) -> None:
    assert guard_of(guard_request(asked(requested_by=by), known, GUARDS)) == guard


CHALLENGED = {"churnstream.challenged": '{"at": "2026-05-01T00:00:00.000Z", "request": "3-1"}'}


@pytest.mark.parametrize(
    ("tags", "by", "guard"),
    [
        (CHALLENGED, "monitor", "trial-under-way"),
        (CHALLENGED, "schedule", "trial-under-way"),
        (CHALLENGED, "person", None),
        # A person's own challenger is no trial of ours: the comparison may still be asked for.
        ({}, "monitor", None),
    ],
)
def test_guard_trial_the_version_in_the_shadow_is_decided_on_first(
    tags: dict[str, str], by: str, guard: str | None
) -> None:
    challenger = ModelVersion("churn-gb", "4", None, tags, 0)
    assert guard_of(guard_trial(asked(requested_by=by), challenger)) == guard
    assert guard_trial(asked(requested_by=by), None) is None


def test_guard_trial_a_run_that_began_again_is_its_own_reason() -> None:
    mine = asked(requested_by="monitor")
    tags = {
        "churnstream.challenged": f'{{"at": "2026-05-01T00:00:00.000Z", "request": "{mine.id}"}}'
    }
    assert guard_trial(mine, ModelVersion("churn-gb", "4", None, tags, 0)) is None


def test_guard_request_a_pinned_model_is_left_alone_whoever_asks() -> None:
    pinned = model(None, **{"churnstream.pinned": "3"})
    refusal = guard_request(asked(requested_by="person"), pinned, GUARDS)
    assert guard_of(refusal) == "pinned"
    assert "npm run model -- pin gb --off" in refusal.detail


def test_guard_request_says_when_the_cooldown_ends() -> None:
    refusal = guard_request(asked(), model(1), GUARDS)
    assert "not before 2026-05-14T00:00:00.000Z" in refusal.detail


def window(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """Of the day before the request."""
    statistic = {"name": "null-rate", "subject": "device", "value": 0.9, "state": "alarm"}
    day = ASKED_AT // DAY_MS - 1
    return {
        "modelName": "churn-gb",
        "market": "*",
        "segment": "*",
        "kind": "quality",
        "fromDay": day,
        "toDay": day,
        "state": "alarm",
        "statistics": [statistic],
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "guard"),
    [
        ({}, "broken-feed"),
        ({"toDay": date(2026, 4, 30), "fromDay": date(2026, 4, 30)}, "broken-feed"),
        ({"toDay": ASKED_AT // DAY_MS - 6}, "broken-feed"),
        ({"toDay": ASKED_AT // DAY_MS - 7}, None),
        # What broke later was not there when somebody asked.
        ({"toDay": ASKED_AT // DAY_MS + 1}, None),
        ({"state": "warning"}, None),
        ({"state": "insufficient-data"}, None),
        ({"kind": "drift"}, None),
        ({"modelName": "churn-us-nj"}, None),
        ({"market": "gb"}, None),
        ({"segment": "active-7d"}, None),
    ],
)
def test_guard_feed(fields: dict[str, Any], guard: str | None) -> None:
    windows = [window(state="ok"), window(**fields)]
    assert guard_of(guard_feed(asked(), windows)) == guard


def test_guard_feed_says_what_broke_and_when() -> None:
    detail = guard_feed(asked(), [window()]).detail
    assert detail.endswith("the days 2026-04-30 to 2026-04-30: null-rate device 0.900")


def prepared(**fields: Any) -> dict[str, Any]:  # noqa: ANN401
    cohort = {
        "rows": 500,
        "churned": 50,
        "testWindow": "2026-03-01/2026-03-14",
        "championSawUntil": "2026-03-10",
    }
    return {"usable": 1_000, "churned": 200, "quality": [], "cohort": cohort, **fields}


def quality(
    nulls: float = 0.2, unseen: float | None = None, reference: float | None = None
) -> dict[str, Any]:
    shares = {"nulls": nulls, "reference_nulls": 0.1, "unseen": unseen}
    return {"feature": "device", **shares, "reference_unseen": reference}


@pytest.mark.parametrize(
    ("fields", "guard"),
    [
        ({}, None),
        ({"usable": 999}, "too-few-labels"),
        ({"churned": 199}, "too-few-labels"),
        ({"quality": [quality(0.199)]}, None),
        ({"quality": [quality(0.21)]}, "data-quality"),
        ({"quality": [quality(0.0, 0.5, 0.0)]}, None),
        ({"quality": [quality(0.0, 0.6, 0.0)]}, "data-quality"),
        ({"quality": [quality(0.0, 0.6, None)]}, None),
        ({"problem": "the rows span 29 days"}, "cannot-split"),
        # Too few is the plainer word for it.
        ({"problem": "too few", "usable": 10}, "too-few-labels"),
        ({"cohort": {**prepared()["cohort"], "rows": 499}}, "nobody-to-judge"),
        ({"cohort": {**prepared()["cohort"], "churned": 49}}, "nobody-to-judge"),
    ],
)
def test_guard_set(fields: dict[str, Any], guard: str | None) -> None:
    assert guard_of(guard_set(prepared(**fields), GUARDS)) == guard


def test_guard_set_names_every_feature_that_is_broken() -> None:
    broken = [quality(0.9), {**quality(0.5, 0.9, 0.0), "feature": "product"}]
    refusal = guard_set(prepared(quality=broken), GUARDS)
    assert refusal.detail == (
        "90% of device are null, 10% at the champion's training; "
        "50% of product are null, 10% at the champion's training; "
        "90% of product are unseen, 0% at the champion's training"
    )


@pytest.mark.parametrize(
    ("tags", "day"),
    [
        # 28 days that its newest label looked at.
        ({"train_window": "2025-10-01/2025-12-01"}, "2025-12-29"),
        # Registered at the turn of the year.
        ({}, "2025-12-31"),
        ({"train_window": "unknown"}, "2025-12-31"),
        ({"train_window": "early/late"}, "2025-12-31"),
    ],
)
def test_seen_until(tags: dict[str, str], day: str) -> None:
    assert seen_until(ModelVersion("churn-gb", "3", None, tags, 1_767_225_600_000)) == day
