"""
Stands in for node and for the training interpreter: obeys the command lines of score,
publish-scores, replay and compare, on folders in place of S3 and PostgreSQL.

FAKE_WORLD names a folder: `bucket/` holds the objects, `database/` the batches. `plan.json` maps a
command to what its next calls do: an exit code, or {"replace": key} before it works.
"""

import gzip
import hashlib
import json
import os
import sys
from pathlib import Path

from dagster_pipes import open_dagster_pipes

WORLD = Path(os.environ["FAKE_WORLD"])
DATABASE = WORLD / "database"


def main() -> int:
    script, *arguments = sys.argv[1:]
    if script == "-m":
        return compare()
    name = Path(script).parent.parent.name
    if name == "batch":
        name = "publish" if script.endswith("publish-main.ts") else "score"
    with open_dagster_pipes() as pipes:
        pipes.log.info(f"{name} begins")
        with (WORLD / "calls.log").open("a") as calls:
            calls.write(f"{name} {' '.join(arguments)}\n")
        step = next_step(name)
        if isinstance(step, dict):
            path_of(step["replace"]).write_text(step.get("with", "{}\n"))
            step = 0
        if step != 0:
            return fail(f"{name} was told to fail", step)
        commands = {"score": score, "publish": publish, "replay": replay}
        return commands[name](arguments)


def next_step(name: str) -> int | dict[str, str]:
    plan_file = WORLD / "plan.json"
    plan = json.loads(plan_file.read_text()) if plan_file.exists() else {}
    steps = plan.get(name, [])
    step = steps.pop(0) if steps else 0
    plan_file.write_text(json.dumps(plan))
    return step


def fail(why: str, code: int = 1) -> int:
    print(why, file=sys.stderr)
    return code


def option(arguments: list[str], name: str) -> str | None:
    return arguments[arguments.index(name) + 1] if name in arguments else None


def path_of(uri: str) -> Path:
    return WORLD / "bucket" / uri.removeprefix("s3://bucket/")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def replay(arguments: list[str]) -> int:
    """One vector for each player, whose score is how many events there are."""
    players: dict[str, int] = {}
    for file in sorted(path_of(option(arguments, "--from-source")).rglob("*.jsonl*")):
        text = (gzip.open if file.suffix == ".gz" else open)(file, "rt").read()
        for line in text.splitlines():
            try:
                player = json.loads(line)["playerId"]
            except (ValueError, KeyError, TypeError):
                continue
            players[player] = players.get(player, 0) + 1
    rows = [{"player_id": player, "events": count} for player, count in players.items()]
    write(path_of(option(arguments, "--to-target")), "".join(f"{json.dumps(r)}\n" for r in rows))
    print(json.dumps({"vectors": len(rows)}))
    return 0


def score(arguments: list[str]) -> int:
    source = path_of(arguments[0])
    model = option(arguments, "--model")
    name, version = model.removeprefix("models:/").split("/")
    if (WORLD / "deleted" / f"{name}-{version}").exists():
        return fail(f"there is no {model}")
    text = source.read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    if not rows:
        return fail(f"{source.name} has no rows")
    if not any("events" in row for row in rows):
        return fail(f"{source.name} lacks the column events")
    seen: set[str] = set()
    rejects: dict[str, int] = {}
    scored = 0
    for row in rows:
        reason = None
        if row.get("player_id") in seen:
            reason = "duplicate-player"
        elif not isinstance(row.get("events"), int | float):
            reason = "not-a-number"
        seen.add(row.get("player_id"))
        if reason:
            rejects[reason] = rejects.get(reason, 0) + 1
        else:
            scored += 1
    rejected = len(rows) - scored
    if rejected > 0.05 * len(rows):
        return fail(f"{rejected} of {len(rows)} rows were rejected")
    digest = hashlib.sha256(text.encode()).hexdigest()
    slot = option(arguments, "--slot")
    batch = hashlib.sha256(f"{slot}{model}{digest}".encode()).hexdigest()[:32]
    target = option(arguments, "--to")
    if target == "postgres":
        write(
            DATABASE / f"{batch}.json", json.dumps({"slot": slot, "rows": scored, "model": model})
        )
    else:
        write(path_of(target), text)
    histogram = [0] * 20
    histogram[5] = scored
    summary = {
        "model": {"name": name, "version": version, "uri": model},
        "batchId": batch,
        "rowsIn": len(rows),
        "scored": scored,
        "rejected": rejected,
        "rejects": rejects,
        "score": {"mean": 0.27, "histogram": histogram},
        "inputSha256": digest,
        "outputSha256": digest,
    }
    print("progress that is no result")
    print(json.dumps(summary))
    return 0


def publish(arguments: list[str]) -> int:
    batch = arguments[0]
    stored = json.loads((DATABASE / f"{batch}.json").read_text())
    published = DATABASE / "published.json"
    slots = json.loads(published.read_text()) if published.exists() else {}
    previous = slots.get(stored["slot"])
    slots[stored["slot"]] = batch
    write(published, json.dumps(slots))
    answer = {"slot": stored["slot"], "batchId": batch, "previousBatchId": previous}
    print(json.dumps({**answer, "rows": stored["rows"]}))
    return 0


def compare() -> int:
    file = WORLD / "difference.txt"
    difference = float(file.read_text()) if file.exists() else 1e-8
    print(json.dumps({"rows": 3, "maxDifference": difference, "tolerance": 1e-6}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
