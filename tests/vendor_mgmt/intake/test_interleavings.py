"""Whatever the order of pulls, corrections and pulls again: the same is known now, and what was known then stays what it was."""

from __future__ import annotations

import itertools
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scorecards import measurement_queries
from tests.vendor_mgmt.intake.builders import day, portfolio, pulled, source
from vendor_mgmt.database import transaction

pytestmark = pytest.mark.usefixtures("site_data")

DAYS = range(1, 5)

Step = tuple[Literal["pull"]] | tuple[Literal["says"], int, int] | tuple[Literal["corrects"], int, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pull")),
        st.tuples(st.just("says"), st.sampled_from(DAYS), st.integers(0, 3)),
        st.tuples(st.just("corrects"), st.sampled_from(DAYS), st.integers(0, 3)),
    ),
    min_size=1,
    max_size=14,
)

queues = itertools.count()


@pytest.fixture
async def site_data(database: str) -> None:
    await portfolio()


async def known(queue: str, as_of: datetime | None = None) -> dict[int, Decimal | None]:
    """How many days ago → value."""
    async with transaction() as connection:
        series = await measurement_queries.series_of(connection, measures=["audited"], dimensions={"workstream": queue})
        rows = await connection.fetch(
            "SELECT starts_on, value FROM measurement WHERE series = ANY ($1) AND (CASE WHEN $2::timestamptz IS NULL"
            " THEN superseded_at IS NULL ELSE known_at <= $2 AND (superseded_at IS NULL OR superseded_at > $2) END)",
            [one.id for one in series],
            as_of,
        )
    return {back: row["value"] for row in rows for back in DAYS if row["starts_on"].isoformat() == day(back)}


class Model:
    """What should be known: a person's correction holds until the source says something new."""

    def __init__(self) -> None:
        self.said: dict[int, int] = {}
        self.known: dict[int, int] = {}
        self.pulled: dict[int, int] = {}
        self.corrected: set[int] = set()

    def pull(self) -> None:
        for back, value in self.said.items():
            if back in self.corrected and self.pulled.get(back) == value:
                continue
            if self.known.get(back) != value:
                self.known[back] = self.pulled[back] = value
                self.corrected.discard(back)

    def correct(self, back: int, value: int) -> None:
        if self.known[back] != value:
            self.known[back] = value
            self.corrected.add(back)


async def holds(steps: list[Step]) -> None:
    queue, model = f"queue-{next(queues)}", Model()
    snapshots: list[tuple[datetime, dict[int, Decimal | None]]] = []
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "a.csv"
        await source(reader={"type": "csv", "folder": name, "settle_s": 0}, title=queue)
        for step in [*steps, ("pull",)]:
            match step:
                case ("says", back, value):
                    model.said[back] = value
                    file.write_text(
                        "site,queue,day,audited,correct\n"
                        + "".join(f"lisbon-1,{queue},{day(back)},{said},\n" for back, said in model.said.items())
                    )
                    continue
                case ("corrects", back, value):
                    if back not in model.known:
                        continue
                    async with transaction() as connection:
                        (series,) = await measurement_queries.series_of(connection, measures=["audited"], dimensions={"workstream": queue})
                        (on,) = [row["d"] for row in await connection.fetch("SELECT $1::text::date AS d", day(back))]
                        await measurement_queries.correct(connection, series.id, on, "day", value=Decimal(value), actor=7, reason="a call")
                    model.correct(back, value)
                case _:
                    await pulled()
                    model.pull()
            assert await known(queue) == model.known
            async with transaction() as connection:
                snapshots.append((await measurement_queries.knowledge(connection), await known(queue)))
        again = await pulled(from_=datetime(2020, 1, 1, tzinfo=UTC).date(), reason="read everything again")
        assert (again.added, again.changed) == (0, 0)
    for moment, then in snapshots:
        assert await known(queue, as_of=moment) == then
    async with transaction() as connection:
        # Spans of knowledge about one day neither overlap nor leave a gap.
        broken = await connection.fetchval(
            "SELECT count(*) FROM (SELECT superseded_at, lead(known_at) OVER (PARTITION BY series, starts_on ORDER BY known_at) AS next"
            " FROM measurement) AS spans WHERE superseded_at IS DISTINCT FROM next"
        )
    assert broken == 0


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
async def test_any_interleaving_ends_in_what_is_known_now_and_never_changes_what_was_known_then(steps: Any) -> None:
    await holds(steps)


async def test_a_correction_outlives_the_value_it_corrected_and_yields_to_a_new_one() -> None:
    await holds([("says", 1, 1), ("pull",), ("corrects", 1, 2), ("pull",), ("pull",), ("says", 1, 3), ("pull",), ("says", 1, 1), ("pull",)])
