"""What Dagster loads, and what it would start by the clock."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from churn_orchestration.config import SETTINGS
from churn_orchestration.definitions import definitions, every_week
from churn_orchestration.prepare import fail_orphans

HERE = Path(__file__).parents[1]


def at(*when: int) -> dg.ScheduleEvaluationContext:
    return dg.build_schedule_context(
        scheduled_execution_time=datetime(*when, tzinfo=UTC), repository_def=None
    )


def test_everything_loads() -> None:
    dg.Definitions.validate_loadable(definitions())


def test_dg_check_defs_is_clean() -> None:
    command = [str(Path(sys.executable).parent / "dg"), "check", "defs"]
    env = {**os.environ, "PYTHONPATH": str(HERE / "src")}
    answer = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert "All definitions loaded successfully" in answer.stdout
    assert "warning" not in f"{answer.stdout}{answer.stderr}".lower()


def test_every_week_asks_for_one_run_of_each_market() -> None:
    requests = every_week(at(2026, 11, 23, 5))
    assert {request.partition_key.keys_by_dimension["market"] for request in requests} == {
        *SETTINGS.markets
    }
    assert {request.partition_key.keys_by_dimension["week"] for request in requests} == {
        "2026-11-16"
    }
    assert len({request.run_key for request in requests}) == len(SETTINGS.markets)


def test_every_week_waits_for_the_first_week_to_end() -> None:
    assert isinstance(every_week(at(2026, 1, 6)), dg.SkipReason)


def test_schedules_start_nothing_unless_somebody_switches_them_on() -> None:
    for schedule in definitions().schedules:
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
        assert schedule.execution_timezone == SETTINGS.time_zone


def test_prepare_fails_the_runs_whose_workers_ended_with_the_servers() -> None:
    with dg.DagsterInstance.ephemeral() as instance:

        @dg.job
        def nothing() -> None:
            """Never runs."""

        runs = {
            status: instance.create_run_for_job(nothing, status=status)
            for status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED)
        }
        assert fail_orphans(instance) == 1
        started = instance.get_run_by_id(runs[dg.DagsterRunStatus.STARTED].run_id)
        waiting = instance.get_run_by_id(runs[dg.DagsterRunStatus.NOT_STARTED].run_id)
        assert started.status is dg.DagsterRunStatus.FAILURE
        assert waiting.status is dg.DagsterRunStatus.NOT_STARTED
