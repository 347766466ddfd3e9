"""Why is a model not trained now? None of these ends a run as failed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from .asked import PERSON, Asked, iso
from .ledger import CHALLENGED_TAG, LEARNED_TAG, PINNED_TAG, Model, ModelVersion
from .settings import Guards

DAY_MS = 86_400_000
# Of a label: services/training/churn_training/dataset.py.
HORIZON_DAYS = 28
# As long as the monitor itself asks for nothing after a broken day.
FEED_DAYS = 7
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Refusal:
    # A slug.
    guard: str
    detail: str


def guard_request(asked: Asked, model: Model | None, guards: Guards) -> Refusal | None:
    """What is known before anything is read."""
    if model is None or model.champion is None:
        return Refusal(
            "no-champion",
            f"{asked.model} has no champion to compare with: promote a version first "
            f"(npm run model -- promote {asked.market} VERSION)",
        )
    pinned = model.tags.get(PINNED_TAG)
    if pinned is not None:
        return Refusal(
            "pinned",
            f"{asked.model} is pinned to version {pinned}: npm run model -- pin {asked.market} "
            "--off lets it move again",
        )
    return guard_cooldown(asked, model, guards.cooldown_days)


def guard_cooldown(asked: Asked, model: Model, cooldown_days: float) -> Refusal | None:
    """In event time. A person who asks knows why; a run that began again is its own reason."""
    learned = model.document(LEARNED_TAG)
    if learned is None or asked.requested_by == PERSON or learned.get("request") == asked.id:
        return None
    since = asked.requested_at - int(learned["eventAt"])
    if since >= cooldown_days * DAY_MS:
        return None
    return Refusal(
        "cooldown",
        f"version {learned['version']} learned from what had happened until "
        f"{iso(int(learned['eventAt']))}; the next training is not before "
        f"{iso(int(learned['eventAt']) + cooldown_days * DAY_MS)}",
    )


def guard_trial(asked: Asked, challenger: ModelVersion | None) -> Refusal | None:
    """A second candidate of ours would put the first out of a trial that says more than a file."""
    if challenger is None or asked.requested_by == PERSON:
        return None
    challenged = challenger.document(CHALLENGED_TAG)
    if challenged is None or challenged.get("request") == asked.id:
        return None
    return Refusal(
        "trial-under-way",
        f"version {challenger.version} is in the champion's shadow since {challenged['at']}; "
        "its trial decides first",
    )


def guard_feed(asked: Asked, windows: Iterable[Mapping[str, Any]]) -> Refusal | None:
    """Windows of model-monitoring. A feed that broke lately must not be learned from."""
    today = asked.requested_at // DAY_MS
    for window in windows:
        is_whole = window["market"] == window["segment"] == "*" and window["kind"] == "quality"
        is_lately = today - FEED_DAYS < number_of(window["toDay"]) <= today
        if window["modelName"] != asked.model or not is_whole or not is_lately:
            continue
        if window["state"] != "alarm":
            continue
        figures = ", ".join(
            f"{one['name']} {one['subject']} {one['value']:.3f}".replace("  ", " ")
            for one in window["statistics"]
            if one["state"] == "alarm"
        )
        return Refusal(
            "broken-feed",
            f"the monitor found the feed broken in the days {day_of(window['fromDay'])} to "
            f"{day_of(window['toDay'])}: {figures}",
        )
    return None


def guard_set(prepared: Mapping[str, Any], guards: Guards) -> Refusal | None:
    """What churn_training.retraining_set said."""
    usable, churned = prepared["usable"], prepared["churned"]
    if usable < guards.least_labels or churned < guards.least_churned:
        return Refusal(
            "too-few-labels",
            f"{usable} labels, {churned} of them churned; at least {guards.least_labels} and "
            f"{guards.least_churned} are needed",
        )
    broken = [
        told
        for one in prepared["quality"]
        for told in (
            risen(one["feature"], "null", one["nulls"], one["reference_nulls"], guards),
            risen(one["feature"], "unseen", one["unseen"], one["reference_unseen"], guards),
        )
        if told is not None
    ]
    if broken:
        return Refusal("data-quality", "; ".join(broken))
    if "problem" in prepared:
        return Refusal("cannot-split", prepared["problem"])
    cohort = prepared["cohort"]
    if cohort["rows"] < guards.least_cohort_rows or cohort["churned"] < guards.least_cohort_churned:
        return Refusal(
            "nobody-to-judge",
            f"{cohort['rows']} rows, {cohort['churned']} churned, of the days "
            f"{cohort['testWindow']} are of neither model: the champion's labels reach until "
            f"{cohort['championSawUntil']}. At least {guards.least_cohort_rows} and "
            f"{guards.least_cohort_churned} are needed: ask again later",
        )
    return None


def risen(
    feature: str, what: str, share: float | None, reference: float | None, guards: Guards
) -> str | None:
    if share is None or reference is None:
        return None
    most = guards.most_nulls_risen if what == "null" else guards.most_unseen_risen
    if share - reference <= most:
        return None
    return f"{share:.0%} of {feature} are {what}, {reference:.0%} at the champion's training"


def seen_until(champion: ModelVersion) -> str:
    """
    The last day that the champion's labels looked at. Of a version that does not say when it was
    trained it is the day before it was registered: nobody learns from what has not happened.
    """
    _, slash, last = champion.tags.get("train_window", "").partition("/")
    try:
        if slash:
            return (date.fromisoformat(last) + timedelta(days=HORIZON_DAYS)).isoformat()
    except ValueError:
        pass
    created = datetime.fromtimestamp(champion.created_at / 1000, UTC)
    return (created.date() - timedelta(days=1)).isoformat()


def day_of(day: date | int) -> str:
    """A logical date as fastavro gives it."""
    return (EPOCH + timedelta(days=number_of(day))).isoformat()


def number_of(day: date | int) -> int:
    return day if isinstance(day, int) else (day - EPOCH).days
