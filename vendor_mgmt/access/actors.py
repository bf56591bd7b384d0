"""Actor numbers: everything that records who did something stores one of these, and never a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[Any]


async def service(connection: Connection) -> int:
    """The number of the service itself, for what nobody in particular did."""
    return await named(connection, "service", "vendor-mgmt")


async def names(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """Names by number; of a person that was erased there is only the number."""
    rows = await connection.fetch("SELECT id, name, erased_at FROM actor WHERE id = ANY ($1)", list(numbers))
    return {row["id"]: f"person {row['id']}" if row["erased_at"] is not None else row["name"] for row in rows}


_NAMED = "SELECT id FROM actor WHERE kind = $1 AND name = $2 AND erased_at IS NULL ORDER BY id LIMIT 1"


async def named(connection: Connection, kind: str, name: str) -> int:
    """The number of an actor of this kind and name, made if new."""
    number: int | None = await connection.fetchval(_NAMED, kind, name)
    if number is None:
        # Two processes that ask at once for a new name take turns, so that there is one number.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('actor ' || $1 || ' ' || $2, 0))", kind, name)
        number = await connection.fetchval(_NAMED, kind, name)
    if number is None:
        number = await connection.fetchval(
            "INSERT INTO actor (kind, name, created_at) VALUES ($1, $2, clock_timestamp()) RETURNING id", kind, name
        )
    if number is None:
        raise RuntimeError("The database returned no number for a new actor.")
    return number
