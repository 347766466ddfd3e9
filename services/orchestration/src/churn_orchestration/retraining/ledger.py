"""What does MLflow hold of models and versions, and how does a step leave its evidence there?"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import RefusedError
from ..objects import Bucket
from ..registry import CHAMPION, Registry
from .asked import PREFIX

CHALLENGER = "challenger"
# On the registered model: what became of the newest request, and what was last learned from.
LAST_TAG = "churnstream.retraining"
LEARNED_TAG = "churnstream.retrained"
PINNED_TAG = "churnstream.pinned"
# On a version, ours.
REQUEST_TAG = "churnstream.retraining"
COMPARISON_TAG = "churnstream.comparison"
CHALLENGED_TAG = "churnstream.challenged"
TRIAL_TAG = "churnstream.trial"
# On a version, the bridge's: services/registry-bridge/src/contract.ts.
VERDICT_TAG = "churnstream.verdict"
VERDICT_REASON_TAG = "churnstream.verdict_reason"
SHADOW_TAG = "churnstream.shadow"
# MLflow refuses longer ones.
LONGEST_TAG = 5_000
MODELS_A_PAGE = 200


@dataclass(frozen=True)
class Model:
    name: str
    aliases: Mapping[str, str]
    tags: Mapping[str, str]

    @property
    def market(self) -> str:
        return self.name.removeprefix(PREFIX)

    @property
    def champion(self) -> str | None:
        return self.aliases.get(CHAMPION)

    @property
    def challenger(self) -> str | None:
        return self.aliases.get(CHALLENGER)

    def document(self, tag: str) -> dict[str, Any] | None:
        return parsed(self.tags.get(tag))


@dataclass(frozen=True)
class ModelVersion:
    name: str
    version: str
    run_id: str | None
    tags: Mapping[str, str]
    # Milliseconds of the wall clock.
    created_at: int

    def document(self, tag: str) -> dict[str, Any] | None:
        return parsed(self.tags.get(tag))


class Ledger(Registry):
    """MLflow's registry and runs over its REST API. Raises TroubleError while it is away."""

    def models(self) -> list[Model]:
        """Ours, all of them."""
        found: list[Model] = []
        page = ""
        while True:
            query = {"filter": f"name LIKE '{PREFIX}%'", "max_results": str(MODELS_A_PAGE)}
            answer = self._get("registered-models/search", **query, page_token=page) or {}
            found.extend(to_model(one) for one in answer.get("registered_models", []))
            page = answer.get("next_page_token") or ""
            if page == "":
                return found

    def model(self, name: str) -> Model | None:
        found = self._get("registered-models/get", name=name)
        return None if found is None else to_model(found["registered_model"])

    def version(self, name: str, version: str) -> ModelVersion:
        found = self._get("model-versions/get", name=name, version=version)
        if found is None:
            raise RefusedError(f"MLflow has no version {version} of {name}")
        document = found["model_version"]
        return ModelVersion(
            name=name,
            version=str(document["version"]),
            run_id=document.get("run_id") or None,
            tags=to_tags(document),
            created_at=int(document.get("creation_timestamp", 0)),
        )

    def tag_model(self, name: str, tag: str, document: Mapping[str, Any]) -> None:
        body = {"name": name, "key": tag, "value": to_tag(document)}
        self._ask("POST", "registered-models/set-tag", json=body)

    def tag_version(self, version: ModelVersion, tag: str, document: Mapping[str, Any]) -> None:
        place = {"name": version.name, "version": version.version}
        body = {**place, "key": tag, "value": to_tag(document)}
        self._ask("POST", "model-versions/set-tag", json=body)

    def log_metrics(self, version: ModelVersion, metrics: Mapping[str, float]) -> None:
        """On the run that made the version; one without a run has its tags."""
        if version.run_id is None:
            return
        at = round(time.time() * 1000)
        entries = [
            {"key": key, "value": value, "timestamp": at, "step": 0}
            for key, value in metrics.items()
        ]
        self._ask("POST", "runs/log-batch", json={"run_id": version.run_id, "metrics": entries})

    def write_artifact(
        self, version: ModelVersion, bucket: Bucket, name: str, content: str
    ) -> str | None:
        """As a file of the version's run; gives its address, None without a run."""
        if version.run_id is None:
            return None
        found = self._get("runs/get", run_id=version.run_id)
        if found is None:
            return None
        root = found["run"]["info"]["artifact_uri"]
        place = urlsplit(root)
        if place.scheme != "s3" or place.netloc != bucket.name:
            raise RefusedError(
                f"the run's files lie at {root}, not in the bucket {bucket.name} (S3_BUCKET)"
            )
        bucket.write(f"{place.path.strip('/')}/{name}", content.encode())
        return f"{root}/{name}"


def to_model(document: Mapping[str, Any]) -> Model:
    aliases = {one["alias"]: str(one["version"]) for one in document.get("aliases", [])}
    return Model(name=document["name"], aliases=aliases, tags=to_tags(document))


def to_tags(document: Mapping[str, Any]) -> dict[str, str]:
    return {one["key"]: one.get("value", "") for one in document.get("tags", [])}


def to_tag(document: Mapping[str, Any]) -> str:
    text = json.dumps(document)
    if len(text) > LONGEST_TAG:
        raise ValueError(f"a tag of {len(text)} characters: {text[:200]}")
    return text


def parsed(text: str | None) -> dict[str, Any] | None:
    """A tag that a person has spoiled counts as none."""
    try:
        document = json.loads(text or "")
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
