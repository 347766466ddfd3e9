"""Does Dagster understand what the TypeScript commands tell it?"""

from pathlib import Path

import dagster as dg

from churn_orchestration.config import HERE

HOME = HERE.parents[4]
NODE = str(HOME / "node_modules" / ".bin" / "node")
PROBE = str(Path(__file__).with_name("pipes-probe.ts"))
PARTITIONS = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset(partitions_def=PARTITIONS, check_specs=[dg.AssetCheckSpec("probed", asset="probe_asset")])
def probe_asset(
    context: dg.AssetExecutionContext, pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    arguments = context.run.tags.get("arguments", "").split()
    ended = pipes.run(context=context, command=[NODE, PROBE, *arguments], extras={"market": "gb"})
    assert list(ended.get_custom_messages()) == [{"extras": {"market": "gb"}, "partition": "b"}]
    return ended.get_materialize_result()


def probe(instance: dg.DagsterInstance, arguments: str = "") -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [probe_asset],
        partition_key="b",
        resources={"pipes": dg.PipesSubprocessClient()},
        instance=instance,
        tags={"arguments": arguments},
        raise_on_error=False,
    )


def test_everything_that_was_said_arrives() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = probe(instance)
        assert result.success
        [event] = result.get_asset_materialization_events()
        metadata = event.materialization.metadata
        assert {name: metadata[name].value for name in ("rows", "share", "model", "nothing")} == {
            "rows": 3,
            "share": 0.5,
            "model": "churn-default 1",
            "nothing": None,
        }
        assert metadata["rejects"].value == {"late": 1}
        assert event.materialization.tags["dagster/data_version"] == "abc"
        [check] = result.get_asset_check_evaluations()
        assert (check.check_name, check.passed) == ("probed", True)
        logs = [log for log in instance.all_logs(result.run_id) if "a line of" in log.user_message]
        assert [log.level for log in logs] == [30]


def test_an_exception_arrives_with_its_cause_and_its_exit_code() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = probe(instance, "fail")
        assert not result.success
        [failure] = [event for event in result.all_events if event.is_step_failure]
        assert "failed with code 75" in str(failure.event_specific_data.error)
        said = [
            log.dagster_event.event_specific_data.error
            for log in instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
            if "closed with exception" in log.user_message
        ]
        told = [error for error in said if error is not None]
        assert "the probe was told to fail" in told[0].message
        assert "by its test" in told[0].cause.message
