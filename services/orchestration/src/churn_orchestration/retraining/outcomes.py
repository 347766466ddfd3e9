"""Where does it stand what became of a request?"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ..notices import Notifier
from .asked import Asked
from .guards import Refusal
from .ledger import LAST_TAG, Ledger

OUTCOME_TAG = "churnstream/outcome"


def now_iso() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tell_outcome(
    context: dg.AssetExecutionContext,
    ledger: Ledger,
    notifier: Notifier,
    model: str,
    outcome: str,
    text: str,
    facts: Mapping[str, Any],
) -> None:
    """
    On the registered model, in the run's tags and log, and to whoever is notified; in this order,
    so that what is told already stands in MLflow. A step tells before the act that keeps it from
    coming here again: with the receiver away it is tried again, and told twice rather than never.
    """
    document = {
        "outcome": outcome,
        "detail": text,
        "at": now_iso(),
        "run": context.run.run_id,
        **facts,
    }
    if ledger.model(model) is not None:
        ledger.tag_model(model, LAST_TAG, document)
    context.instance.add_run_tags(context.run.run_id, {OUTCOME_TAG: outcome})
    context.log.info(text)
    notifier.tell(f"what became of {model}", {"text": text, "model": model, **document})


def refuse(
    context: dg.AssetExecutionContext,
    ledger: Ledger,
    notifier: Notifier,
    asked: Asked,
    refusal: Refusal,
) -> None:
    """The run ends well, and nothing was trained."""
    text = f"{asked.text} is not trained: {refusal.guard}: {refusal.detail}"
    facts = {"request": asked.document(), "guard": refusal.guard}
    tell_outcome(context, ledger, notifier, asked.model, f"refused: {refusal.guard}", text, facts)
