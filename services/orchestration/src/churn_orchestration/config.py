"""What can be set from outside, and what is it otherwise?"""

import os
import tomllib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import dagster as dg

HERE = Path(__file__).resolve()
# Each may stand in a file that NAME_FILE names. Whoever is started by us finds it under its name:
# MLflow's client and the commands know it so.
SECRETS = (
    "DATABASE_URL",
    "KAFKA_SASL_PASSWORD",
    "MLFLOW_TRACKING_PASSWORD",
    "SCHEMA_REGISTRY_PASSWORD",
)


def user_of(server: str) -> tuple[str, str] | None:
    """Who asks, by SERVER_USERNAME and SERVER_PASSWORD; None for a server that asks for nobody."""
    name = os.environ.get(f"{server}_USERNAME", "")
    return (name, os.environ.get(f"{server}_PASSWORD", "")) if name else None


@dataclass(frozen=True)
class Settings:
    """Read once, when the definitions are loaded; addresses and keys are read by the resources."""

    # The repository, whose commands are run.
    home: Path
    # In which weeks begin (Monday) and the schedule ticks.
    time_zone: str
    # When the week that has just ended is scored. Dagster refuses what is no cron line.
    cron: str
    # The first week that can be scored, a Monday.
    first_week: str
    # From a step's failure to its first retry; it doubles from there.
    retry_seconds: float
    # How long an object must have lain unchanged before it is read.
    settle_seconds: float
    markets: tuple[str, ...]


def read_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Raises ValueError that names every variable that is wrong."""
    problems: list[str] = []
    home = Path(env.get("CHURNSTREAM_HOME") or HERE.parents[4])
    time_zone = env.get("BATCH_TIME_ZONE") or "Europe/Malta"
    cron = env.get("BATCH_CRON") or "0 6 * * 1"
    first_week = env.get("BATCH_FIRST_WEEK") or "2026-01-05"
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        problems.append(f"BATCH_TIME_ZONE={time_zone}: no such time zone, e.g. Europe/Malta")
    try:
        is_monday = date.fromisoformat(first_week).weekday() == 0
    except ValueError:
        is_monday = False
    if not is_monday:
        problems.append(f"BATCH_FIRST_WEEK={first_week}: the date of a Monday, e.g. 2026-01-05")
    retry_seconds = read_seconds(env, "STEP_RETRY_SECONDS", 10, problems)
    settle_seconds = read_seconds(env, "LANDING_SETTLE_SECONDS", 60, problems)
    markets = read_markets(home / "services" / "training" / "markets", problems)
    if problems:
        raise ValueError("The orchestration cannot start:\n" + "\n".join(problems))
    return Settings(home, time_zone, cron, first_week, retry_seconds, settle_seconds, markets)


def read_seconds(env: Mapping[str, str], name: str, usual: float, problems: list[str]) -> float:
    text = env.get(name) or str(usual)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= 86_400:
        problems.append(f"{name}={text}: seconds, from 0 to 86400")
    return seconds


def read_markets(folder: Path, problems: list[str]) -> tuple[str, ...]:
    """Every market that training knows; the one that stands for all the others is none itself."""
    if not folder.is_dir():
        problems.append(f"CHURNSTREAM_HOME: there is no folder {folder}")
        return ()
    documents = {file.stem: tomllib.loads(file.read_text()) for file in folder.glob("*.toml")}
    return tuple(sorted(name for name, market in documents.items() if market["rows"] != "all"))


def optional(name: str, env: Mapping[str, str] = os.environ) -> str:
    """Of a resource that does without: looked up when it is used, so that no page shows it."""
    return dg.EnvVar(name) if env.get(name) else ""


def take_secrets(env: MutableMapping[str, str]) -> None:
    """Raises ValueError that names the variable whose file cannot be read."""
    for name in SECRETS:
        file = env.pop(f"{name}_FILE", None)
        if file is None:
            continue
        try:
            env[name] = Path(file).read_text().rstrip("\r\n")
        except OSError as error:
            raise ValueError(f"{name}_FILE: {error}") from error


take_secrets(os.environ)
SETTINGS = read_settings()
