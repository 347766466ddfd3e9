"""What is known of a player, and which 30 features follow from it? Tiles of the last 30 UTC days.

The twin of PlayerState.java: the same sums in the same order. The state is plain JSON.
"""

from typing import Any

PlayerState = dict[str, Any]

DAY_MS = 86_400_000
DAYS = 30
KINDS = ("signup", "session_start", "bet_placed", "bet_settled", "deposit", "withdrawal")
MARKETS = ("au-nsw", "au-vic", "gb", "us-nj", "us-ny", "us-pa")
SOURCES = ("affiliate", "organic", "paid", "referral")
PRODUCTS = ("casino", "multi", "racing", "sport")

COLUMNS = [
    *(
        f"{what}_{days}d"
        for days in (1, 7, 30)
        for what in ("events", "stake", "net_loss", "active_days", "deposits")
    ),
    "gap_days",
    "tenure_days",
    "market",
    *(f"source_{source}" for source in SOURCES),
    *(f"product_{product}" for product in PRODUCTS),
    "kind",
    "stake",
    "odds",
    "in_play",
]


def level(levels: tuple[str, ...], text: str | None) -> int:
    return levels.index(text) if text in levels else -1


def apply(state: PlayerState | None, event: dict[str, Any]) -> tuple[PlayerState, list[float]]:
    """Folds the event; the row holds what is known after it."""
    at = event["occurredAt"]
    if state is None:
        state = {"firstAt": at, "lastAt": at, "source": -1, "product": -1, "tiles": {}}
    gap = 0.0
    if at > state["lastAt"]:
        gap = (at - state["lastAt"]) / DAY_MS
        state["lastAt"] = at
    state["firstAt"] = min(state["firstAt"], at)
    if state["source"] < 0:
        state["source"] = level(SOURCES, event["acquisitionSource"])
    if state["product"] < 0:
        state["product"] = level(PRODUCTS, event["product"])
    today, own = state["lastAt"] // DAY_MS, at // DAY_MS
    if own > today - DAYS:
        add(state["tiles"], own, today, event)
    row = windows(state["tiles"], today)
    row += (gap, (state["lastAt"] - state["firstAt"]) / DAY_MS, level(MARKETS, event["market"]))
    row += (float(number == state["source"]) for number in range(len(SOURCES)))
    row += (float(number == state["product"]) for number in range(len(PRODUCTS)))
    row += (level(KINDS, event["kind"]), event["stake"] or 0.0, event["odds"] or 0.0)
    row.append(1.0 if event["inPlay"] else 0.0)
    return state, row


def add(tiles: dict[str, list], own: int, today: int, event: dict[str, Any]) -> None:
    # JSON has no other keys than text.
    tile = tiles.get(str(own))
    if tile is None:
        tile = tiles[str(own)] = [0, 0, 0.0, 0.0]
        for day in [day for day in tiles if int(day) <= today - DAYS]:
            del tiles[day]
    tile[0] += 1
    if event["kind"] == "bet_placed":
        tile[2] += event["stake"] or 0.0
    elif event["kind"] == "bet_settled":
        tile[3] += event["payout"] or 0.0
    elif event["kind"] == "deposit":
        tile[1] += 1


def windows(tiles: dict[str, list], today: int) -> list[float]:
    """Of 1, 7 and 30 days: events, stake, stake less payout, active days, deposits."""
    events = deposits = active = 0
    stake = payout = 0.0
    row: list[float] = []
    for back in range(DAYS):
        tile = tiles.get(str(today - back))
        if tile is not None:
            events += tile[0]
            deposits += tile[1]
            stake += tile[2]
            payout += tile[3]
            active += 1
        if back in (0, 6, 29):
            row += (events, stake, stake - payout, active, deposits)
    return row
