"""A fresh world for each test, and settings that do not wait."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Read when the definitions are loaded, so before the tests import them.
os.environ["STEP_RETRY_SECONDS"] = "0"
os.environ["LANDING_SETTLE_SECONDS"] = "60"
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
for name in ("BATCH_TIME_ZONE", "BATCH_CRON", "BATCH_FIRST_WEEK", "CHURNSTREAM_HOME"):
    os.environ.pop(name, None)

from .retraining_world import Registered, RetrainingWorld  # noqa: E402
from .world import Mlflow, World  # noqa: E402


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    mlflow = Mlflow()
    yield mlflow
    mlflow.server.close()


@pytest.fixture
def world(tmp_path: Path, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("FAKE_WORLD", str(tmp_path))
    world = World(tmp_path, mlflow.server.url)
    names = ["events"]
    for version in ("1", "2"):
        folder = f"models/churn-default/{version}"
        world.put(f"{folder}/columns.json", [names])
        world.put(f"{folder}/xgboost/model.json", [{}])
        world.put(f"{folder}/X_test_sample.json", [[{"events": index} for index in range(30)]])
        shares = [0.0] * 5 + [1.0] + [0.0] * 14
        profile = {"score": {"count": 5000, "shares": shares}}
        world.put(f"{folder}/reference_profile.json", [profile])
    yield world
    world.instance.dispose()


@pytest.fixture
def registered() -> Iterator[Registered]:
    registered = Registered()
    yield registered
    registered.server.close()


@pytest.fixture
def loop(
    tmp_path: Path, registered: Registered, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RetrainingWorld]:
    monkeypatch.setenv("FAKE_WORLD", str(tmp_path))
    monkeypatch.setenv("FAKE_MLFLOW", registered.server.url)
    loop = RetrainingWorld(tmp_path, registered)
    yield loop
    loop.instance.dispose()
