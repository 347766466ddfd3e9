"""Late is a market whose newest published week is not the newest one."""

from datetime import UTC, datetime, timedelta

from churn_orchestration.checks import PUBLISHED_WITHIN, newest_week_is_published
from churn_orchestration.partitions import Batch, newest_week

from .world import World


def publish(world: World, *batches: Batch) -> None:
    world.bucket.write("../database/published.json", b"{}")
    slots = ", ".join(f'"{batch.slot}": "x"' for batch in batches)
    (world.folder / "database" / "published.json").write_text(f"{{{slots}}}")


def test_a_market_that_stopped_is_named_and_the_others_are_not(world: World) -> None:
    due = newest_week(datetime.now(UTC) - PUBLISHED_WITHIN)
    before = (datetime.fromisoformat(due) - timedelta(days=7)).date().isoformat()
    publish(world, Batch("gb", due), Batch("us-nj", before))
    result = newest_week_is_published(score_store=world.store)
    assert not result.passed
    assert "us-nj" in result.description
    assert "gb" not in result.description


def test_every_market_in_time_passes(world: World) -> None:
    due = newest_week(datetime.now(UTC) - PUBLISHED_WITHIN)
    publish(world, Batch("gb", due), Batch("us-nj", due))
    assert newest_week_is_published(score_store=world.store).passed
