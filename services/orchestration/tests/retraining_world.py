"""A small world around the retraining loop: MLflow and the commands, as they answer."""

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg

from churn_orchestration.definitions import definitions
from churn_orchestration.errors import TroubleError
from churn_orchestration.notices import Notifier
from churn_orchestration.retraining.asked import Asked
from churn_orchestration.retraining.commands import RetrainingCommands
from churn_orchestration.retraining.ledger import Ledger
from churn_orchestration.retraining.topics import Topics

from .world import Answering, FolderBucket

MODEL = "churn-gb"
# 2026-05-01.
ASKED_AT = 1_777_593_600_000


class Registered:
    """MLflow's registry and runs, in memory, as its REST API words them."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.versions: dict[tuple[str, str], dict[str, Any]] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.status = 200
        self.server = Answering(self.answer)
        self.add_version(MODEL, train_window="2025-10-01/2025-12-01")
        self.set_alias(MODEL, "champion", "1")

    def add_version(self, name: str, **tags: str) -> str:
        model = self.models.setdefault(name, {"aliases": {}, "tags": {}})
        version = str(1 + sum(1 for known, _ in self.versions if known == name))
        self.versions[name, version] = {
            "run_id": f"run-{name}-{version}",
            "tags": dict(tags),
            "created": 1_767_225_600_000,
        }
        assert model is not None
        return version

    def set_alias(self, name: str, alias: str, version: str | None) -> None:
        aliases = self.models[name]["aliases"]
        aliases.pop(alias, None)
        if version is not None:
            aliases[alias] = version

    def tag(self, version: str, name: str) -> dict[str, Any]:
        return json.loads(self.versions[MODEL, version]["tags"][name])

    def model_tag(self, name: str) -> dict[str, Any]:
        return json.loads(self.models[MODEL]["tags"][name])

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, Any]:
        if self.status != 200:
            return self.status, {}
        place = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        asked = json.loads(body) if body else query
        path = place.path.removeprefix("/api/2.0/mlflow/").removeprefix("/")
        return getattr(self, path.replace("/", "_").replace("-", "_"))(asked)

    def fake_register(self, asked: dict[str, Any]) -> tuple[int, Any]:
        version = self.add_version(asked["name"], train_window=asked["train_window"])
        return 200, {"version": version}

    def fake_alias(self, asked: dict[str, Any]) -> tuple[int, Any]:
        self.set_alias(asked["name"], asked["alias"], asked["version"])
        return 200, {}

    def registered_models_search(self, _: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"registered_models": [self.document(name) for name in self.models]}

    def registered_models_get(self, asked: dict[str, Any]) -> tuple[int, Any]:
        if asked["name"] not in self.models:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}
        return 200, {"registered_model": self.document(asked["name"])}

    def registered_models_set_tag(self, asked: dict[str, Any]) -> tuple[int, Any]:
        self.models[asked["name"]]["tags"][asked["key"]] = asked["value"]
        return 200, {}

    def model_versions_get(self, asked: dict[str, Any]) -> tuple[int, Any]:
        found = self.versions.get((asked["name"], asked["version"]))
        if found is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}
        document = {
            "name": asked["name"],
            "version": asked["version"],
            "run_id": found["run_id"],
            "creation_timestamp": found["created"],
            "tags": pairs(found["tags"]),
        }
        return 200, {"model_version": document}

    def model_versions_set_tag(self, asked: dict[str, Any]) -> tuple[int, Any]:
        self.versions[asked["name"], asked["version"]]["tags"][asked["key"]] = asked["value"]
        return 200, {}

    def model_versions_get_download_uri(self, asked: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"artifact_uri": f"s3://bucket/models/{asked['name']}/{asked['version']}"}

    def runs_get(self, asked: dict[str, Any]) -> tuple[int, Any]:
        return 200, {"run": {"info": {"artifact_uri": f"s3://bucket/1/{asked['run_id']}"}}}

    def runs_log_batch(self, asked: dict[str, Any]) -> tuple[int, Any]:
        of_run = self.metrics.setdefault(asked["run_id"], {})
        of_run |= {one["key"]: one["value"] for one in asked["metrics"]}
        return 200, {}

    def document(self, name: str) -> dict[str, Any]:
        model = self.models[name]
        aliases = [{"alias": alias, "version": v} for alias, v in model["aliases"].items()]
        return {"name": name, "aliases": aliases, "tags": pairs(model["tags"])}


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


class Told(Notifier):
    """Remembers in a file, because Dagster copies its resources."""

    file: str

    def tell(self, what: str, body: Any) -> None:  # noqa: ANN401
        if Path(f"{self.file}.away").exists():
            raise TroubleError(f"{what} could not be delivered")
        with Path(self.file).open("a") as lines:
            lines.write(f"{json.dumps(body)}\n")


class Windows(Topics):
    """The newest records of model-monitoring, in place of Kafka."""

    file: str

    def newest(self, topic_id: str, most: int) -> list[Any]:
        assert (topic_id, most) == ("modelMonitoring", 10_000)
        return json.loads(Path(self.file).read_text())


class RetrainingWorld:
    def __init__(self, folder: Path, mlflow: Registered) -> None:
        self.folder = folder
        self.mlflow = mlflow
        self.instance = dg.DagsterInstance.ephemeral()
        self.bucket = FolderBucket(name="bucket", folder=str(folder / "bucket"))
        self.ledger = Ledger(tracking_uri=mlflow.server.url)
        self.topics = Windows(
            bootstrap_servers="", registry_url="", file=str(folder / "windows.json")
        )
        self.monitor([])
        self.notifier = Told(file=str(folder / "told.jsonl"))
        node = folder / "node_modules" / ".bin" / "node"
        node.parent.mkdir(parents=True)
        (folder / "services" / "training").mkdir(parents=True)
        fake = Path(__file__).with_name("fake_retraining.py")
        node.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{fake}" "$@"\n')
        node.chmod(0o755)
        self.commands = RetrainingCommands(home=str(folder), training_python=str(node))
        self.bucket.write(f"models/{MODEL}/1/reference_profile.json", b"{}")
        self.answer()

    def answer(self, **answers: dict[str, Any]) -> None:
        """What a command says beside, or in place of, what it would say: `code` lets it fail."""
        (self.folder / "answers.json").write_text(json.dumps(answers))

    def monitor(self, windows: list[dict[str, Any]]) -> None:
        (self.folder / "windows.json").write_text(json.dumps(windows))

    def retrain(self, **fields: Any) -> dg.ExecuteInProcessResult:  # noqa: ANN401
        return self.run("retraining", asked(**fields))

    def run(self, job: str, asked: Asked | None = None) -> dg.ExecuteInProcessResult:
        resources = {
            "bucket": self.bucket,
            "ledger": self.ledger,
            "commands": self.commands,
            "notifier": self.notifier,
            "topics": self.topics,
        }
        return (
            definitions()
            .resolve_job_def(job)
            .execute_in_process(
                partition_key="gb",
                resources={**resources, **({} if asked is None else {"asked": asked})},
                instance=self.instance,
                raise_on_error=False,
            )
        )

    def calls(self) -> list[str]:
        """The names of the commands, in order."""
        file = self.folder / "calls.log"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.split(" ", 1)[0] for line in lines]

    def call(self, name: str) -> str:
        lines = (self.folder / "calls.log").read_text().splitlines()
        return next(line for line in reversed(lines) if line.startswith(f"{name} "))

    def told(self) -> list[str]:
        file = self.folder / "told.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line)["text"] for line in lines]

    def outcome_tag(self, result: dg.ExecuteInProcessResult) -> str:
        return self.instance.get_run_by_id(result.run_id).tags["churnstream/outcome"]


def asked(**fields: Any) -> Asked:  # noqa: ANN401
    usual = {
        "model": MODEL,
        "market": "gb",
        "reason": "performance-fell",
        "evidence": '{"auc": 0.7}',
        "requested_at": ASKED_AT,
        "requested_by": "monitor",
        "offset": 4,
    }
    return Asked(**{**usual, **fields})


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
