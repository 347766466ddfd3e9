"""What was asked for, by whom and why?"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from ..config import SETTINGS

PREFIX = "churn-"
# The model of every market that has none of its own; a market of training too.
DEFAULT = "default"
PERSON, SCHEDULE = "person", "schedule"

# One run of a market at a time: see concurrency in instance/dagster.yaml.
MARKETS = dg.StaticPartitionsDefinition([DEFAULT, *SETTINGS.markets])


class Asked(dg.ConfigurableResource):
    """A record of retraining-requests; given when a run is launched, the same for all its steps."""

    model: str
    market: str
    # A slug: see retraining-request.avsc.
    reason: str
    # JSON.
    evidence: str = "{}"
    # Event time in ms: nothing that happened later is learned from.
    requested_at: int
    requested_by: str
    # Of the record.
    offset: int

    @property
    def id(self) -> str:
        """Also when the topic is made anew and its offsets begin again."""
        return f"{self.offset}-{self.requested_at}"

    def key(self, name: str) -> str:
        """Of a file of this request, in the bucket."""
        return f"retraining/{self.model}/{self.id}/{name}"

    @property
    def text(self) -> str:
        return f"{self.model} ({self.reason}, asked by {self.requested_by})"

    def document(self) -> dict[str, Any]:
        """Fit for a tag: the evidence may be long."""
        return {
            "id": self.id,
            "offset": self.offset,
            "model": self.model,
            "reason": self.reason,
            "requestedBy": self.requested_by,
            "requestedAt": iso(self.requested_at),
        }


def parse_request(record: Mapping[str, Any], offset: int) -> Asked:
    """Raises ValueError that says what is wrong with a record that Avro could read."""
    model, market, evidence = (record[name] for name in ("modelName", "market", "evidence"))
    if model != f"{PREFIX}{market}":
        raise ValueError(f"model {model} is not that of the market {market}")
    if market not in MARKETS.get_partition_keys():
        known = ", ".join(MARKETS.get_partition_keys())
        raise ValueError(f"market {market} is unknown to services/training/markets; known: {known}")
    try:
        is_object = isinstance(json.loads(evidence), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise ValueError(f"its evidence is no JSON object: {evidence[:100]}")
    return Asked(
        model=model,
        market=market,
        reason=record["reason"],
        evidence=evidence,
        requested_at=milliseconds(record["requestedAt"]),
        requested_by=record["requestedBy"],
        offset=offset,
    )


def milliseconds(at: datetime | int) -> int:
    """A logical timestamp as fastavro gives it."""
    return at if isinstance(at, int) else round(at.timestamp() * 1000)


def iso(at_ms: float) -> str:
    text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
