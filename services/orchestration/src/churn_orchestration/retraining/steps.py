"""How does a request become a challenger? One asset a step, one partition a market."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg

from ..errors import RefusedError, step_failures
from ..notices import Notifier
from ..objects import Bucket
from ..registry import Version
from ..weekly import RETRIES
from .asked import DEFAULT, MARKETS, Asked
from .commands import RetrainingCommands
from .guards import DAY_MS, Refusal, guard_feed, guard_request, guard_set, guard_trial, seen_until
from .ledger import (
    CHALLENGED_TAG,
    COMPARISON_TAG,
    LEARNED_TAG,
    PINNED_TAG,
    REQUEST_TAG,
    Ledger,
    Model,
)
from .outcomes import now_iso, refuse, tell_outcome
from .report import comparison_metrics, comparison_page, comparison_tag, sentence
from .settings import RETRAINING
from .topics import Topics

GROUP = "retraining"
MONITORING = "modelMonitoring"
# More than all models have in a week.
NEWEST_WINDOWS = 10_000
REQUEST, PREPARED, CANDIDATE, COMPARISON = (
    f"{name}.json" for name in ("request", "prepared", "candidate", "comparison")
)
LABELS, COHORT = "labels.csv.gz", "cohort.csv"
SEED = 7


def asset(**options: Any) -> Any:  # noqa: ANN401
    """A step that gives nothing ends the run, well: what comes after it is skipped."""
    return dg.asset(
        partitions_def=MARKETS,
        group_name=GROUP,
        retry_policy=RETRIES,
        code_version="1",
        output_required=False,
        **options,
    )


@asset(kinds={"kafka"})
def retraining_request(
    context: dg.AssetExecutionContext,
    asked: Asked,
    bucket: Bucket,
    ledger: Ledger,
    topics: Topics,
    notifier: Notifier,
) -> Iterator[dg.MaterializeResult]:
    """Asked for, and nothing speaks against it yet: no pin, no cooldown, no broken feed."""
    with step_failures():
        if asked.market != context.partition_key:
            raise RefusedError(f"the request is of {asked.market}, not of {context.partition_key}")
        model = ledger.model(asked.model)
        refusal = guard_request(asked, model, RETRAINING.guards)
        if refusal is None and model is not None and model.challenger is not None:
            refusal = guard_trial(asked, ledger.version(model.name, model.challenger))
        if refusal is None:
            refusal = guard_feed(asked, topics.newest(MONITORING, NEWEST_WINDOWS))
        if model is None or refusal is not None:
            refuse(context, ledger, notifier, asked, refusal or no_model(asked))
            return
        evidence = json.loads(asked.evidence)
        document = {**asked.document(), "evidence": evidence, "champion": model.champion}
        bucket.write_json(asked.key(REQUEST), document)
    yield dg.MaterializeResult(
        metadata={
            "request": dg.MetadataValue.json(document),
            "reason": asked.reason,
            "champion": int(str(model.champion)),
        }
    )


@asset(deps=[retraining_request], kinds={"typescript", "python"})
def training_set(
    context: dg.AssetExecutionContext,
    asked: Asked,
    bucket: Bucket,
    ledger: Ledger,
    commands: RetrainingCommands,
) -> Iterator[dg.MaterializeResult]:
    """Labelled rows as of the request, by replay; the newest are set apart to judge."""
    with step_failures(), tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        champion = champion_of(bucket, asked)
        labels = commands.replay(
            context,
            "labels",
            *("--until", str(asked.requested_at)),
            *from_day(asked, RETRAINING.history_days),
            *(() if asked.market == DEFAULT else ("--market", asked.market)),
            *("--from-source", RETRAINING.source),
            *("--to-target", bucket.uri(asked.key(LABELS))),
        )
        bucket.download(asked.key(LABELS), folder / LABELS)
        profile = ledger.artifact_key(champion, "reference_profile.json", bucket)
        bucket.download(profile, folder / "profile.json")
        prepared = commands.retraining_set(
            *("--data", str(folder / LABELS)),
            *("--market", asked.market),
            *("--profile", str(folder / "profile.json")),
            *("--test-days", str(RETRAINING.guards.cohort_days)),
            *("--seen-until", seen_until(ledger.version(champion.name, champion.version))),
            *("--cohort", str(folder / COHORT)),
        )
        document = {**prepared, "labels": labels}
        bucket.write_json(asked.key(PREPARED), document)
        if "cohort" in prepared:
            bucket.write(asked.key(COHORT), (folder / COHORT).read_bytes())
    yield dg.MaterializeResult(
        metadata={
            "labels": prepared["usable"],
            "churned": prepared["churned"],
            "set": bucket.uri(asked.key(LABELS)),
            "measured": bucket.uri(asked.key(PREPARED)),
        }
    )


@asset(deps=[training_set])
def admitted_set(
    context: dg.AssetExecutionContext,
    asked: Asked,
    bucket: Bucket,
    ledger: Ledger,
    notifier: Notifier,
) -> Iterator[dg.MaterializeResult]:
    """
    Enough labels, whole features, and enough rows that neither model has learned from. A step of
    its own: one that ran a command under Pipes may not end without giving anything.
    """
    with step_failures():
        prepared = bucket.read_json(asked.key(PREPARED))
        refusal = guard_set(prepared, RETRAINING.guards)
        if refusal is not None:
            refuse(context, ledger, notifier, asked, refusal)
            return
    yield dg.MaterializeResult(
        metadata={
            "window": prepared["window"],
            "train_window": prepared["trainWindow"],
            "cohort": dg.MetadataValue.json(prepared["cohort"]),
        }
    )


@asset(deps=[admitted_set], kinds={"python", "mlflow"})
def candidate(
    context: dg.AssetExecutionContext,
    asked: Asked,
    bucket: Bucket,
    ledger: Ledger,
    commands: RetrainingCommands,
) -> Iterator[dg.MaterializeResult]:
    """A new version, registered without an alias. Done again it trains no second one."""
    with step_failures(), tempfile.TemporaryDirectory() as parent:
        prepared = bucket.read_json(asked.key(PREPARED))
        if bucket.look(asked.key(CANDIDATE)) is None:
            file = Path(parent) / LABELS
            bucket.download(asked.key(LABELS), file)
            made = commands.train(
                *("--data", str(file)),
                *("--market", asked.market),
                *("--name", asked.model),
                *("--test-days", str(RETRAINING.guards.cohort_days)),
                *("--seed", str(SEED)),
            )
            bucket.write_json(asked.key(CANDIDATE), made)
        made = bucket.read_json(asked.key(CANDIDATE))
        version = ledger.version(asked.model, str(made["version"]))
        if version.tags.get("train_window") != prepared["trainWindow"]:
            raise RefusedError(
                f"version {version.version} of {asked.model} learned from "
                f"{version.tags.get('train_window')}, not from {prepared['trainWindow']}: "
                "the cohort may be no stranger to it"
            )
        ledger.tag_version(version, REQUEST_TAG, asked.document())
        learned = {
            "version": version.version,
            # Somebody who asks may name an instant that the stream has not reached.
            "eventAt": min(asked.requested_at, prepared["newestAsOf"] + DAY_MS),
            "request": asked.id,
            "at": now_iso(),
        }
        ledger.tag_model(asked.model, LEARNED_TAG, learned)
    yield dg.MaterializeResult(
        metadata={
            "version": int(version.version),
            "test_auc": float(made["auc"]),
            "train_window": prepared["trainWindow"],
            "seconds": float(made["seconds"]),
        }
    )


@asset(deps=[candidate], kinds={"typescript", "python", "mlflow"})
def comparison(
    context: dg.AssetExecutionContext,
    asked: Asked,
    bucket: Bucket,
    ledger: Ledger,
    commands: RetrainingCommands,
) -> Iterator[dg.MaterializeResult]:
    """Champion and candidate on the cohort that neither learned from, row by row."""
    with step_failures(), tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        champion = champion_of(bucket, asked)
        made = bucket.read_json(asked.key(CANDIDATE))
        bucket.download(asked.key(COHORT), folder / COHORT)
        scored = {}
        for role, version in (
            ("champion", champion),
            ("candidate", Version(asked.model, str(made["version"]))),
        ):
            target = f"{role}.csv"
            summary = commands.score(
                context,
                bucket.uri(asked.key(COHORT)),
                *("--model", version.uri),
                *("--to", bucket.uri(asked.key(target))),
                *("--rejects", bucket.uri(asked.key(f"{role}.rejects.jsonl"))),
            )
            scored[role] = {name: summary[name] for name in ("rowsIn", "scored", "rejected")}
            bucket.download(asked.key(target), folder / target)
        rule = {**asdict(RETRAINING.rule)}
        rule["least_rows"] = RETRAINING.guards.least_cohort_rows
        rule["least_churned"] = RETRAINING.guards.least_cohort_churned
        judged = commands.judge(
            *("--cohort", str(folder / COHORT)),
            *("--champion", str(folder / "champion.csv")),
            *("--candidate", str(folder / "candidate.csv")),
            *(part for name, value in rule.items() for part in option(name, value)),
        )
        report = {
            "request": bucket.read_json(asked.key(REQUEST)),
            "champion": champion.version,
            "candidate": str(made["version"]),
            "set": bucket.read_json(asked.key(PREPARED)),
            "scored": scored,
            "judged": judged,
        }
        bucket.write_json(asked.key(COMPARISON), report)
        page = comparison_page(report)
        place = leave_evidence(ledger, bucket, asked.model, report, page)
    yield dg.MaterializeResult(
        metadata={
            "verdict": judged["verdict"],
            "report": dg.MetadataValue.md(page),
            "place": place or "the version has no run",
        }
    )


@asset(deps=[comparison], kinds={"mlflow"})
def challenger(
    context: dg.AssetExecutionContext,
    asked: Asked,
    bucket: Bucket,
    ledger: Ledger,
    commands: RetrainingCommands,
    notifier: Notifier,
) -> Iterator[dg.MaterializeResult]:
    """Who is better goes into the champion's shadow; who is not stays registered."""
    with step_failures():
        report = bucket.read_json(asked.key(COMPARISON))
        model = ledger.model(asked.model)
        verdict, told = report["judged"]["verdict"], sentence(report)
        facts = {"request": asked.document(), "version": report["candidate"], "verdict": verdict}
        if verdict != "better":
            text = f"{asked.text} keeps its champion: {told}"
            tell_outcome(context, ledger, notifier, asked.model, verdict, text, facts)
            return
        version = ledger.version(asked.model, report["candidate"])
        obstacle = obstacle_of(model, report, ledger)
        if obstacle is not None:
            text = f"{asked.text}: {told}, but it does not become challenger: {obstacle.detail}"
            outcome = f"not challenger: {obstacle.guard}"
            tell_outcome(context, ledger, notifier, asked.model, outcome, text, facts)
            return
        # First: from then on the trial is the loop's to end.
        ledger.tag_version(version, CHALLENGED_TAG, {"at": now_iso(), "request": asked.id})
        commands.challenge(asked.model, version.version)
        text = f"{asked.text}: {told}; it is challenger now"
        tell_outcome(context, ledger, notifier, asked.model, "challenger", text, facts)
    yield dg.MaterializeResult(metadata={"version": int(version.version), "why": told})


def obstacle_of(model: Model | None, report: dict[str, Any], ledger: Ledger) -> Refusal | None:
    """What has changed since the request was taken up."""
    if model is None or model.champion != report["champion"]:
        now = "none" if model is None else model.champion
        detail = f"version {now} is champion by now, not {report['champion']}"
        return Refusal("champion-moved", detail)
    if PINNED_TAG in model.tags:
        return Refusal("pinned", f"{model.name} is pinned to version {model.tags[PINNED_TAG]}")
    if model.challenger in (None, report["candidate"]):
        return None
    other = ledger.version(model.name, str(model.challenger))
    if CHALLENGED_TAG in other.tags:
        return None
    detail = (
        f"a person made version {other.version} challenger; npm run model -- challenge "
        f"{model.market} {report['candidate']} puts this one in its place"
    )
    return Refusal("challenger-taken", detail)


def leave_evidence(
    ledger: Ledger, bucket: Bucket, model: str, report: dict[str, Any], page: str
) -> str | None:
    version = ledger.version(model, report["candidate"])
    ledger.log_metrics(version, comparison_metrics(report["judged"]))
    content = f"{json.dumps(report, indent=2)}\n"
    ledger.write_artifact(version, bucket, f"retraining/{COMPARISON}", content)
    place = ledger.write_artifact(version, bucket, "retraining/comparison.md", page)
    ledger.tag_version(version, COMPARISON_TAG, comparison_tag(report))
    return place


def from_day(asked: Asked, history_days: int) -> tuple[str, ...]:
    """Older labels teach a world that is gone; what players did before is folded all the same."""
    if history_days == 0:
        return ()
    return ("--from", str(asked.requested_at - history_days * DAY_MS))


def champion_of(bucket: Bucket, asked: Asked) -> Version:
    """The one that the request found: all steps speak of the same."""
    return Version(asked.model, str(bucket.read_json(asked.key(REQUEST))["champion"]))


def no_model(asked: Asked) -> Refusal:
    return Refusal("no-champion", f"MLflow has no model {asked.model}")


def option(name: str, value: object) -> tuple[str, str]:
    return f"--{name.replace('_', '-')}", str(value)


STEPS = [retraining_request, training_set, admitted_set, candidate, comparison, challenger]
