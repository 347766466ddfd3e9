"""When is a model trained anew, when is it better, and who may promote it?"""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Policy(Enum):
    """Who promotes a challenger that met every criterion."""

    # A person is told the command.
    confirm = "confirm"
    # The loop itself.
    auto = "auto"


@dataclass(frozen=True)
class Guards:
    """What must hold before anything is learned."""

    # Event time between two trainings of a model; a person who asks is not held to it.
    cooldown_days: float
    least_labels: int
    least_churned: int
    # How far the share of nulls, and of levels that the champion has never seen, may have risen.
    most_nulls_risen: float
    most_unseen_risen: float
    # The newest mature days, which judge.
    cohort_days: int
    least_cohort_rows: int
    least_cohort_churned: int


@dataclass(frozen=True)
class Rule:
    """As churn_training.judge states it."""

    confidence: float
    auc_margin: float
    log_loss_margin: float


@dataclass(frozen=True)
class Criteria:
    """What a challenger must show in the champion's shadow."""

    # Less says nothing yet.
    least_rows: int
    least_minutes: float
    # Then it is taken off, whatever it has shown.
    most_hours: float
    # Of its rows: it failed on them, or was too slow for them.
    most_skipped: float
    most_microseconds_per_row: float
    # Of rows in the same band as the champion's, and the mean of its scores less the champion's.
    least_agreement: float
    most_score_shift: float


@dataclass(frozen=True)
class RetrainingSettings:
    policy: Policy
    # What labels are made from: topic, or a folder or s3://bucket/prefix of raw activity.
    source: str
    # Labels of so many days before the request; 0: of all that the source holds.
    history_days: int
    # Of a calendar request; Dagster refuses what is no cron line.
    cron: str
    guards: Guards
    rule: Rule
    criteria: Criteria


def read_retraining_settings(env: Mapping[str, str] = os.environ) -> RetrainingSettings:
    """Raises ValueError that names every variable that is wrong."""
    problems: list[str] = []

    def number(name: str, usual: float, most: float = math.inf) -> float:
        text = env.get(name) or str(usual)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= most:
            limit = "" if most == math.inf else f" to {most:g}"
            problems.append(f"{name}={text}: a number from 0{limit}")
        return value

    def whole(name: str, usual: int) -> int:
        value = number(name, usual)
        if math.isfinite(value) and value != int(value):
            problems.append(f"{name}={env[name]}: a whole number")
        return int(value) if math.isfinite(value) else 0

    policy = env.get("RETRAINING_PROMOTION") or Policy.confirm.value
    if policy not in {one.value for one in Policy}:
        problems.append(f"RETRAINING_PROMOTION={policy}: confirm or auto")
    settings = RetrainingSettings(
        policy=Policy(policy) if policy in {one.value for one in Policy} else Policy.confirm,
        source=env.get("RETRAINING_SOURCE") or "topic",
        history_days=whole("RETRAINING_HISTORY_DAYS", 0),
        cron=env.get("RETRAINING_CRON") or "0 4 * * 2",
        guards=Guards(
            cooldown_days=number("RETRAINING_COOLDOWN_DAYS", 14),
            least_labels=whole("RETRAINING_LEAST_LABELS", 1_000),
            least_churned=whole("RETRAINING_LEAST_CHURNED", 200),
            most_nulls_risen=number("RETRAINING_MOST_NULLS_RISEN", 0.1, 1),
            most_unseen_risen=number("RETRAINING_MOST_UNSEEN_RISEN", 0.5, 1),
            cohort_days=whole("RETRAINING_COHORT_DAYS", 14),
            least_cohort_rows=whole("RETRAINING_LEAST_COHORT_ROWS", 500),
            least_cohort_churned=whole("RETRAINING_LEAST_COHORT_CHURNED", 50),
        ),
        rule=Rule(
            confidence=number("RETRAINING_CONFIDENCE", 0.95, 0.9999),
            auc_margin=number("RETRAINING_AUC_MARGIN", 0.005, 1),
            log_loss_margin=number("RETRAINING_LOG_LOSS_MARGIN", 0.01),
        ),
        criteria=Criteria(
            least_rows=whole("TRIAL_LEAST_ROWS", 10_000),
            least_minutes=number("TRIAL_LEAST_MINUTES", 60),
            most_hours=number("TRIAL_MOST_HOURS", 168),
            most_skipped=number("TRIAL_MOST_SKIPPED", 0.05, 1),
            most_microseconds_per_row=number("TRIAL_MOST_MICROSECONDS_PER_ROW", 200),
            least_agreement=number("TRIAL_LEAST_AGREEMENT", 0.6, 1),
            most_score_shift=number("TRIAL_MOST_SCORE_SHIFT", 0.15, 1),
        ),
    )
    if problems:
        raise ValueError("The retraining loop cannot start:\n" + "\n".join(problems))
    return settings


RETRAINING = read_retraining_settings()
