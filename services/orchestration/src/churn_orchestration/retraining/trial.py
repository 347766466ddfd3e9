"""What becomes of a challenger, after what it has shown in the champion's shadow?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from .ledger import (
    CHALLENGED_TAG,
    COMPARISON_TAG,
    PINNED_TAG,
    SHADOW_TAG,
    TRIAL_TAG,
    VERDICT_REASON_TAG,
    VERDICT_TAG,
    Model,
    ModelVersion,
)
from .settings import Criteria, Policy

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Step = Literal["wait", "ask", "promote", "conclude", "take-off"]


@dataclass(frozen=True)
class Criterion:
    name: str
    value: float
    # At least, or at most.
    bound: float
    is_least: bool
    # Not yet met, in place of failed.
    is_wait: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.bound if self.is_least else self.value <= self.bound

    @property
    def text(self) -> str:
        return f"{self.name} {self.value:.4g} ({'≥' if self.is_least else '≤'} {self.bound:g})"

    def document(self) -> dict[str, Any]:
        kind = "least" if self.is_least else "most"
        return {"name": self.name, "value": self.value, kind: self.bound, "holds": self.holds}


@dataclass(frozen=True)
class Decision:
    step: Step
    # A slug.
    reason: str
    detail: str
    criteria: tuple[Criterion, ...] = ()


def decide_trial(
    model: Model, version: ModelVersion, criteria: Criteria, policy: Policy, now_ms: float
) -> Decision:
    """
    `version` is the challenger of `model`. Only one that the loop made challenger is touched: any
    other is a person's own trial.
    """
    challenged = version.document(CHALLENGED_TAG)
    if challenged is None:
        return Decision("wait", "not-ours", f"a person made version {version.version} challenger")
    if model.champion == version.version:
        return Decision("conclude", "promoted", f"version {version.version} is champion")
    compared = version.document(COMPARISON_TAG) or {}
    if compared.get("champion") != model.champion:
        detail = (
            f"it was compared with version {compared.get('champion')}, but version "
            f"{model.champion} is champion by now"
        )
        return Decision("take-off", "champion-moved", detail)
    verdict = version.tags.get(VERDICT_TAG)
    if verdict in ("refused", "unhealthy"):
        reason = version.tags.get(VERDICT_REASON_TAG) or "no reason given"
        return Decision("take-off", verdict, f"the scorers found it {verdict}: {reason}")

    since_ms = now_ms - milliseconds_of(challenged["at"])
    found = judge_trial(figures_of(version, challenged), since_ms, criteria)
    is_late = since_ms > criteria.most_hours * HOUR_MS
    hours = f"{since_ms / HOUR_MS:.1f} hours of at most {criteria.most_hours:g}"
    missing = [one.text for one in found if one.is_wait and not one.holds]
    if missing:
        detail = f"not enough seen: {', '.join(missing)}"
        if is_late:
            return Decision("take-off", "too-long", f"{detail} in {hours}", found)
        return Decision("wait", "not-enough", detail, found)
    failed = [one.text for one in found if not one.holds]
    if failed:
        return Decision("take-off", "criteria-failed", ", ".join(failed), found)
    shown = ", ".join(one.text for one in found)
    if is_late:
        return Decision("take-off", "too-long", f"nobody promoted it in {hours}: {shown}", found)
    if PINNED_TAG in model.tags:
        pinned = model.tags[PINNED_TAG]
        return Decision("wait", "pinned", f"{model.name} is pinned to version {pinned}", found)
    if policy is Policy.auto:
        return Decision("promote", "criteria-met", shown, found)
    told = version.document(TRIAL_TAG) or {}
    if told.get("outcome") == "asked" and told.get("challengedAt") == challenged["at"]:
        return Decision("wait", "asked", f"a person was told: {shown}", found)
    return Decision("ask", "criteria-met", shown, found)


def judge_trial(
    figures: Mapping[str, float] | None, since_ms: float, criteria: Criteria
) -> tuple[Criterion, ...]:
    """None: the bridge has told nothing of this trial yet."""
    rows = 0.0 if figures is None else figures["rows"]
    enough = (
        Criterion("rows", rows, criteria.least_rows, is_least=True, is_wait=True),
        Criterion("minutes", since_ms / MINUTE_MS, criteria.least_minutes, True, is_wait=True),
    )
    if figures is None or rows == 0:
        return enough
    skipped = figures["skippedRows"]
    return (
        *enough,
        Criterion("skipped share", skipped / (rows + skipped), criteria.most_skipped, False),
        Criterion(
            "µs per row",
            figures["shadowMicrosecondsPerRow"],
            criteria.most_microseconds_per_row,
            False,
        ),
        Criterion("agreement", figures["agreement"], criteria.least_agreement, True),
        Criterion("score shift", abs(figures["scoreShift"]), criteria.most_score_shift, False),
    )


def figures_of(version: ModelVersion, challenged: Mapping[str, Any]) -> dict[str, float] | None:
    """What the bridge wrote in this trial, not in an earlier one of the same version."""
    figures = version.document(SHADOW_TAG)
    if figures is None:
        return None
    if milliseconds_of(figures["updatedAt"]) < milliseconds_of(challenged["at"]):
        return None
    return {name: value for name, value in figures.items() if isinstance(value, int | float)}


def milliseconds_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
