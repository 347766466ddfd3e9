"""The commands of the retraining loop: each answers as its plan says, and writes what it would."""

import json
import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

WORLD = Path(os.environ["FAKE_WORLD"])


def main(arguments: list[str]) -> int:
    name, rest = named(arguments)
    with (WORLD / "calls.log").open("a") as log:
        log.write(f"{name} {' '.join(rest)}\n")
    answers = json.loads((WORLD / "answers.json").read_text())
    answer = answers.get(name, {})
    if "code" in answer:
        print(answer.get("why", f"{name} was told to fail"), file=sys.stderr)
        return answer["code"]
    given = options(rest)
    document = {**STEPS[name](given, rest), **answer}
    print(json.dumps(document, indent=2 if name == "model" else None))
    return 0


def named(arguments: list[str]) -> tuple[str, list[str]]:
    if arguments[0] == "-m":
        module = arguments[1].removeprefix("churn_training.")
        return module.replace("churn_training", "train"), arguments[2:]
    service = Path(arguments[0]).parts[-3]
    return {"batch": "score", "model-cli": "model"}.get(service, service), arguments[1:]


def options(arguments: list[str]) -> dict[str, str]:
    return {
        name.removeprefix("--"): value
        for name, value in pairwise(arguments)
        if name.startswith("--")
    }


def write(uri: str, text: str) -> None:
    file = WORLD / "bucket" / uri.removeprefix("s3://bucket/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def replay(given: dict[str, str], _: list[str]) -> dict[str, Any]:
    write(given["to-target"], "labels")
    return {"rows": 3_000, "churned": 900}


def retraining_set(given: dict[str, str], _: list[str]) -> dict[str, Any]:
    Path(given["cohort"]).write_text("cohort")
    return {
        "rows": 3_000,
        "usable": 2_500,
        "churned": 700,
        "window": "2026-01-01/2026-04-01",
        "newestAsOf": 1_777_000_000_000,
        "quality": [],
        "trainWindow": "2026-01-01/2026-02-18",
        "cohort": {
            "rows": 900,
            "churned": 250,
            "players": 400,
            "window": "2026-03-19/2026-04-01",
            "testWindow": "2026-03-19/2026-04-01",
            "championSawUntil": given["seen-until"],
        },
    }


def train(given: dict[str, str], _: list[str]) -> dict[str, Any]:
    """Registers, as the real one does."""
    body = {"name": given["name"], "train_window": "2026-01-01/2026-02-18"}
    version = post("fake/register", body)["version"]
    return {"name": given["name"], "version": version, "auc": 0.81, "seconds": 3.2}


def score(given: dict[str, str], rest: list[str]) -> dict[str, Any]:
    write(given["to"], f"row,score\n0,0.5\n# {given['model']} of {rest[0]}\n")
    return {"rowsIn": 900, "scored": 900, "rejected": 0}


def judge(_: dict[str, str], __: list[str]) -> dict[str, Any]:
    figure = {"champion": 0.7, "candidate": 0.8, "difference": 0.1, "low": 0.05, "high": 0.15}
    return {
        "verdict": "better",
        "rows": 900,
        "churned": 250,
        "players": 400,
        "unscored": 0,
        "window": "2026-03-19/2026-04-01",
        "rule": {"confidence": 0.95, "auc_margin": 0.005, "log_loss_margin": 0.01}
        | {"draws": 2000, "seed": 7},
        "auc": {**figure, "p": 0.001},
        "logLoss": {**figure, "p": 0.001},
    }


def model(_: dict[str, str], rest: list[str]) -> dict[str, Any]:
    command, name, version = rest[:3]
    alias = "challenger" if command == "challenge" else "champion"
    body = {"name": name, "alias": alias, "version": None if version == "--off" else version}
    post("fake/alias", body)
    return {"text": f"{alias} of {name} is {version}", "isGood": True}


def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
    url = f"{os.environ['FAKE_MLFLOW']}/{path}"
    with urlopen(Request(url, json.dumps(body).encode(), method="POST")) as answer:
        return json.loads(answer.read())


STEPS = {
    "replay": replay,
    "retraining_set": retraining_set,
    "train": train,
    "score": score,
    "judge": judge,
    "model": model,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
