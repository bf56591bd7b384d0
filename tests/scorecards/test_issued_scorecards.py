"""What was issued stays, whatever the code does: the database itself refuses."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from vendor_mgmt.database import transaction

PLACE = """
    INSERT INTO vendor (id, code, name, in_house, created_at) VALUES (1, 'harbour', 'Harbour', false, now());
    INSERT INTO contract (id, code, title, vendor, lineage, created_at) VALUES (1, 'HB-1', 'Moderation', 1, 1, now());
    INSERT INTO scorecard (id, contract, period_from, period_until, number, created_at)
    VALUES (1, 1, '2026-03-01', '2026-04-01', 'HARBOUR-2026-001', now());
"""

DRAFT = """
    INSERT INTO revision (scorecard, number, state, score, currency, engine, data_as_of, prepared_at, sha256, content)
    VALUES (1, $1, 'draft', 98, 'EUR', '1', now(), now(), repeat('0', 64), '') RETURNING id
"""

RESULT = """
    INSERT INTO result (revision, kpi, dims_key, period_from, period_until, version, status, levels, streak, accumulated, is_relieved)
    VALUES ($1, 'acc', '{}', '2026-03-01', '2026-04-01', '1', 'no_data', '{}', 0, 1, false)
"""

PAYABLE = "INSERT INTO payable (revision, rule, kind, dims_key, amount, currency) VALUES ($1, 'credit', 'credit', '{}', 10, 'EUR')"

ISSUE = "UPDATE revision SET state = 'issued', issued_at = now(), issued_by = 1 WHERE id = $1"

CHANGES = [
    "UPDATE revision SET score = 99 WHERE id = $1",
    "UPDATE revision SET content = 'x' WHERE id = $1",
    "UPDATE revision SET state = 'draft', issued_at = null, issued_by = null WHERE id = $1",
    "UPDATE revision SET state = 'superseded', score = 99 WHERE id = $1",
    "DELETE FROM result WHERE revision = $1",
    "DELETE FROM payable WHERE revision = $1",
    "UPDATE result SET met = true WHERE revision = $1",
    "UPDATE payable SET amount = 0 WHERE revision = $1",
]


async def draft(connection: asyncpg.Connection[Any], number: int = 0) -> int:
    revision: int = await connection.fetchval(DRAFT, number)
    await connection.execute(RESULT, revision)
    await connection.execute(PAYABLE, revision)
    return revision


@pytest.mark.parametrize("change", CHANGES)
async def test_the_database_itself_refuses_to_change_an_issued_scorecard(database: str, change: str) -> None:
    async with transaction() as connection:
        await connection.execute(PLACE)
        revision = await draft(connection)
        await connection.execute(ISSUE, revision)
    with pytest.raises(asyncpg.RestrictViolationError):
        async with transaction() as connection:
            await connection.execute(change, revision)


async def test_an_issued_scorecard_cannot_be_deleted_even_when_nothing_hangs_on_it(database: str) -> None:
    async with transaction() as connection:
        await connection.execute(PLACE)
        revision = await connection.fetchval(DRAFT, 0)
        await connection.execute(ISSUE, revision)
    with pytest.raises(asyncpg.RestrictViolationError, match="was issued and stays"):
        async with transaction() as connection:
            await connection.execute("DELETE FROM revision WHERE id = $1", revision)


async def test_a_later_revision_supersedes_it_and_a_draft_may_be_thrown_away(database: str) -> None:
    async with transaction() as connection:
        await connection.execute(PLACE)
        issued = await draft(connection)
        await connection.execute(ISSUE, issued)
        await connection.execute("UPDATE revision SET state = 'superseded' WHERE id = $1", issued)
        later = await draft(connection, 1)
        await connection.execute("DELETE FROM result WHERE revision = $1", later)
        await connection.execute("DELETE FROM payable WHERE revision = $1", later)
        await connection.execute("DELETE FROM revision WHERE id = $1", later)
        left = await connection.fetch("SELECT id, state FROM revision")
    assert [tuple(row) for row in left] == [(issued, "superseded")]
