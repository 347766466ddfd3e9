"""A small world around the orchestration: folders as S3 and PostgreSQL, a server as MLflow."""

import gzip
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import dagster as dg

from churn_orchestration.commands import Commands
from churn_orchestration.definitions import definitions
from churn_orchestration.errors import TroubleError
from churn_orchestration.notices import Notifier
from churn_orchestration.objects import Bucket, Listed, replaced
from churn_orchestration.partitions import Batch
from churn_orchestration.registry import Registry
from churn_orchestration.score_store import ScoreStore, Stored

LISTED_AT = datetime(2026, 11, 20, tzinfo=UTC)


class FolderBucket(Bucket):
    """Objects are files, ETags their MD5."""

    folder: str

    def listing(self, prefix: str) -> Iterator[Listed]:
        root = Path(self.folder)
        for file in sorted(found for found in root.rglob("*") if found.is_file()):
            key = str(file.relative_to(root))
            if key.startswith(prefix):
                content = file.read_bytes()
                etag = hashlib.md5(content).hexdigest()
                yield Listed(key, etag, len(content), LISTED_AT)

    def read(self, key: str) -> bytes:
        return (Path(self.folder) / key).read_bytes()

    @contextmanager
    def lines(self, key: str, etag: str) -> Iterator[Iterator[bytes]]:
        content = self.read(key)
        if hashlib.md5(content).hexdigest() != etag:
            raise replaced(self.uri(key))
        text = gzip.decompress(content) if key.endswith(".gz") else content
        yield iter(text.splitlines(keepends=True))

    def write(self, key: str, content: bytes) -> None:
        file = Path(self.folder) / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def download(self, key: str, file: Path) -> None:
        file.write_bytes(self.read(key))


class FolderStore(ScoreStore):
    folder: str

    def stored(self, batch_id: str) -> Stored:
        rows = self._read(f"{batch_id}.json")["rows"]
        return Stored(rows, rows)

    def published_rows(self, slot: str, batch_id: str) -> int:
        if self._read("published.json").get(slot) != batch_id:
            return 0
        return self._read(f"{batch_id}.json")["rows"]

    def published_weeks(self) -> dict[str, str]:
        newest: dict[str, str] = {}
        for slot in self._read("published.json"):
            _, market, week = slot.split("/")
            newest[market] = max(week, newest.get(market, ""))
        return newest

    def _read(self, name: str) -> dict[str, Any]:
        if (Path(self.folder) / "away").exists():
            raise TroubleError("PostgreSQL does not answer")
        file = Path(self.folder) / name
        return json.loads(file.read_text()) if file.exists() else {}


class World:
    """Everything a run touches; `instance` is Dagster's own memory."""

    def __init__(self, folder: Path, mlflow_url: str) -> None:
        self.folder = folder
        self.instance = dg.DagsterInstance.ephemeral()
        self.bucket = FolderBucket(name="bucket", folder=str(folder / "bucket"))
        self.store = FolderStore(database_url="none", folder=str(folder / "database"))
        self.registry = Registry(tracking_uri=mlflow_url)
        node = folder / "node_modules" / ".bin" / "node"
        node.parent.mkdir(parents=True)
        (folder / "services" / "training").mkdir(parents=True)
        (folder / "database").mkdir()
        fake = Path(__file__).with_name("fake_command.py")
        node.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{fake}" "$@"\n')
        node.chmod(0o755)
        self.commands = Commands(home=str(folder), training_python=str(node))

    @property
    def resources(self) -> dict[str, Any]:
        return {
            "bucket": self.bucket,
            "registry": self.registry,
            "score_store": self.store,
            "commands": self.commands,
            "notifier": Notifier(),
        }

    def run(
        self,
        batch: Batch | None,
        config: dict[str, Any] | None = None,
        job: str = "weekly_batch",
        resources: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """As the daemon would run it, in this process."""
        return (
            definitions()
            .resolve_job_def(job)
            .execute_in_process(
                run_config={"ops": config or {}},
                partition_key=None if batch is None else batch.partition_key,
                resources={**self.resources, **(resources or {})},
                instance=self.instance,
                raise_on_error=False,
            )
        )

    def plan(self, **steps: list[Any]) -> None:
        (self.folder / "plan.json").write_text(json.dumps(steps))

    def calls(self) -> list[str]:
        file = self.folder / "calls.log"
        return file.read_text().splitlines() if file.exists() else []

    def published(self) -> dict[str, str]:
        file = self.folder / "database" / "published.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def put(self, key: str, lines: list[Any]) -> None:
        text = "".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines)
        self.bucket.write(key, text.encode())

    def put_activity(self, batch: Batch, players: int = 200, bad: int = 0) -> str:
        key = f"landing/activity/{batch.market}/2026-11-17/events.jsonl"
        events = [event_of(f"p{index}", batch.market) for index in range(players)]
        self.put(key, [*events, *["{half a line"] * bad])
        return key


def event_of(player: str, market: str) -> dict[str, Any]:
    return {
        "eventId": f"e-{player}",
        "kind": "bet_placed",
        "playerId": player,
        "market": market,
        "occurredAt": 1_763_370_000_000,
    }


def failure_of(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """The step that failed and why, as a notice would say it."""
    [event] = [one for one in result.all_events if one.is_step_failure]
    data = event.event_specific_data
    told = data.user_failure_data
    return event.step_key, told.description if told else data.error.message


def retries_of(result: dg.ExecuteInProcessResult) -> int:
    return len([event for event in result.all_events if event.is_step_up_for_retry])


class Answering:
    """An HTTP server on a port of its own; `answer` gives status and body for method and URL."""

    def __init__(self, answer: Callable[[str, str, bytes], tuple[int, Any]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.respond(b"")

            def do_POST(self) -> None:
                self.respond(self.rfile.read(int(self.headers["content-length"])))

            def respond(self, body: bytes) -> None:
                status, document = answer(self.command, self.path, body)
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Mlflow:
    """MLflow's answers about aliases and versions, as it words them."""

    def __init__(self) -> None:
        self.champions = {"churn-default": "1"}
        self.status = 200
        self.server = Answering(self.answer)

    def answer(self, _: str, url: str, __: bytes) -> tuple[int, Any]:
        if self.status != 200:
            return self.status, {}
        place = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path.endswith("/alias"):
            version = self.champions.get(query["name"])
            if version is None:
                message = f"Registered model alias {query['alias']} not found."
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": message}
            return 200, {"model_version": {"name": query["name"], "version": version}}
        return 200, {"artifact_uri": f"s3://bucket/models/{query['name']}/{query['version']}"}
