"""What must be done before Dagster's servers start? They would both make the tables, and fail."""

import sys

import dagster as dg

# A run that waits in the queue has lost nothing.
BEGUN = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def fail_orphans(instance: dg.DagsterInstance) -> int:
    """
    Runs that were under way when everything ended at once. Their workers were children of the
    servers that are not there yet: they would count as running for ever and block their partition.
    Failed like this Dagster starts them again, as any run whose worker died.
    """
    orphans = instance.get_runs(dg.RunsFilter(statuses=BEGUN))
    for run in orphans:
        instance.report_run_failed(run, "its worker ended together with the servers")
    return len(orphans)


if __name__ == "__main__":
    with dg.DagsterInstance.get() as found:
        print(f"{fail_orphans(found)} orphaned runs", file=sys.stderr)
