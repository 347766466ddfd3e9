"""How does a trial end?"""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg

from ..errors import RefusedError, step_failures
from ..notices import Notifier
from ..objects import Bucket
from ..weekly import RETRIES
from .asked import MARKETS, PREFIX
from .commands import RetrainingCommands
from .ledger import CHALLENGED_TAG, TRIAL_TAG, Ledger, Model, ModelVersion
from .outcomes import now_iso, tell_outcome
from .settings import RETRAINING
from .trial import Decision, decide_trial, milliseconds_of

# Of a trial whose alias moves at this moment.
PROMOTING = "promoting"


@dg.asset(
    partitions_def=MARKETS,
    group_name="retraining",
    retry_policy=RETRIES,
    code_version="1",
    output_required=False,
    kinds={"mlflow", "typescript"},
)
def promotion(
    context: dg.AssetExecutionContext,
    bucket: Bucket,
    ledger: Ledger,
    commands: RetrainingCommands,
    notifier: Notifier,
) -> Iterator[dg.MaterializeResult]:
    """
    Decides again, on what stands in MLflow now, and does it: promotes, tells a person, or takes the
    challenger off. Safe to be done twice: each time it begins with what stands there.
    """
    with step_failures():
        model = ledger.model(f"{PREFIX}{context.partition_key}")
        if model is None or model.challenger is None:
            context.log.info("there is no challenger")
            return
        version = ledger.version(model.name, model.challenger)
        now = milliseconds_of(now_iso())
        decision = decide_trial(model, version, RETRAINING.criteria, RETRAINING.policy, now)
        context.log.info(f"{decision.step}: {decision.reason}: {decision.detail}")
        if decision.step == "wait":
            return
        document = end_trial(context, ledger, bucket, commands, notifier, model, version, decision)
    yield dg.MaterializeResult(
        metadata={
            "outcome": document["outcome"],
            "version": int(version.version),
            "detail": decision.detail,
            "trial": dg.MetadataValue.json(document),
        }
    )


def end_trial(
    context: dg.AssetExecutionContext,
    ledger: Ledger,
    bucket: Bucket,
    commands: RetrainingCommands,
    notifier: Notifier,
    model: Model,
    version: ModelVersion,
    decision: Decision,
) -> dict[str, Any]:
    of = f"version {version.version} of {model.name}"
    document = trial_document(decision, version)
    match decision.step:
        case "ask":
            outcome = "asked"
            text = (
                f"{of} met every criterion: {decision.detail}. To promote it: "
                f"npm run model -- promote {model.market} {version.version}"
            )
        case "promote":
            # Who comes after a run that ended here knows who promoted it, and why.
            leave_trial(ledger, bucket, version, {**document, "outcome": PROMOTING})
            served = promote(ledger, commands, model, version)
            outcome = "promoted"
            text = f"{of} is promoted by policy: {decision.detail}. {served}"
        case "conclude":
            known = version.document(TRIAL_TAG) or {}
            outcome = "promoted"
            by = "a person"
            if known.get("outcome") == PROMOTING:
                by, document = "policy", known
            text = f"{of} was promoted by {by}"
        case _:
            outcome = f"taken off: {decision.reason}"
            text = f"{of} is challenger no more: {decision.reason}: {decision.detail}"
    facts = {"version": version.version, "reason": decision.reason}
    tell_outcome(context, ledger, notifier, model.name, outcome, text, facts)
    document = {**document, "outcome": outcome, "detail": text[:1_000]}
    leave_trial(ledger, bucket, version, document)
    if decision.step != "ask":
        commands.end_challenge(model.name)
    return document


def promote(
    ledger: Ledger, commands: RetrainingCommands, model: Model, version: ModelVersion
) -> str:
    """
    Raises RefusedError when the alias did not move; of a scorer that does not serve the version
    yet it tells, the alias stands.
    """
    try:
        return str(commands.promote(model.name, version.version)["text"])
    except RefusedError as error:
        now = ledger.model(model.name)
        if now is None or now.champion != version.version:
            raise
        return f"Not every scorer serves it yet: {error}"


def trial_document(decision: Decision, version: ModelVersion) -> dict[str, Any]:
    return {
        "reason": decision.reason,
        "policy": RETRAINING.policy.value,
        "challengedAt": (version.document(CHALLENGED_TAG) or {}).get("at"),
        "at": now_iso(),
        "criteria": [one.document() for one in decision.criteria],
    }


def leave_trial(
    ledger: Ledger, bucket: Bucket, version: ModelVersion, document: dict[str, Any]
) -> None:
    metrics = {
        f"trial_{one['name'].replace('µs', 'microseconds').replace(' ', '_')}": one["value"]
        for one in document["criteria"]
    }
    if metrics:
        ledger.log_metrics(version, metrics)
    content = f"{json.dumps(document, indent=2)}\n"
    ledger.write_artifact(version, bucket, "retraining/trial.json", content)
    ledger.tag_version(version, TRIAL_TAG, document)
