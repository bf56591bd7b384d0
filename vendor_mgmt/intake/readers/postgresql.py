"""Rows of a query on somebody's PostgreSQL. It only reads: the connection, its transaction and a time limit see to that."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import msgspec

from vendor_mgmt import outbound
from vendor_mgmt.intake.readers.page import PAGE_ROWS, Asked, Page, ReadingFailed, picker, value_of
from vendor_mgmt.intake.source import PostgreSql, Source, window_of

_FIRST_DAY, _LAST_DAY = date(1, 1, 1), date(9999, 12, 31)


async def read(source: Source, reader: PostgreSql, asked: Asked, *, allow_private: bool) -> AsyncIterator[Page]:
    """The pages of a query's answer, all as of one moment. Raises `ReadingFailed`, also after pages were given."""
    address = value_of(reader.address)
    query, names = window_of(reader.query)
    days = {"since": asked.since or _FIRST_DAY, "until": asked.until or _LAST_DAY}
    connection = await _connected(reader, address, allow_private=allow_private)
    rows_read = 0
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            statement = await connection.prepare(query)
            columns = {attribute.name for attribute in statement.get_attributes()}
            if lacking := [name for name in source.mapped_columns if name not in columns and name.split(".")[0] not in columns]:
                reason = f"The query gives no column {', '.join(lacking)}; it gives {', '.join(sorted(columns))}. Correct the mapping."
                raise ReadingFailed(reason, is_temporary=False)
            pick = picker(source.kept_columns)
            cursor = await statement.cursor(*(days[name] for name in names))
            while found := await cursor.fetch(min(PAGE_ROWS, reader.rows_max - rows_read + 1)):
                if rows_read + len(found) > reader.rows_max:
                    reason = f"The query gives more than {reader.rows_max} rows, the limit set as `rows_max`; only these were used."
                    found = found[: reader.rows_max - rows_read]
                    yield _page(reader, pick, found)
                    raise ReadingFailed(reason, is_temporary=False)
                rows_read += len(found)
                yield _page(reader, pick, found)
    except asyncpg.PostgresSyntaxError as error:
        raise ReadingFailed(f"The query is no SQL that PostgreSQL reads: {error}.", is_temporary=False) from None
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise ReadingFailed(f"The connection to the database failed: {str(error) or type(error).__name__}.", is_temporary=True) from None
    except asyncpg.PostgresError as error:
        # An error may quote a row; its first line says what it is about.
        is_temporary = isinstance(error, asyncpg.OperatorInterventionError | asyncpg.InsufficientResourcesError)
        raise ReadingFailed(f"The query failed: {str(error).splitlines()[0]}.", is_temporary=is_temporary) from None
    finally:
        await connection.close(timeout=5)


async def sample(reader: PostgreSql, asked: Asked, rows_max: int, *, allow_private: bool) -> list[dict[str, Any]]:
    """The first rows of the query's answer, as they came. Raises `ReadingFailed`."""
    query, names = window_of(reader.query)
    days = {"since": asked.since or _FIRST_DAY, "until": asked.until or _LAST_DAY}
    connection = await _connected(reader, value_of(reader.address), allow_private=allow_private)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            cursor = await connection.cursor(query, *(days[name] for name in names))
            return [{name: _plain(value) for name, value in row.items()} for row in await cursor.fetch(rows_max)]
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise ReadingFailed(f"The query failed: {str(error).splitlines()[0]}.", is_temporary=False) from None
    finally:
        await connection.close(timeout=5)


def _page(reader: PostgreSql, pick: Any, found: list[asyncpg.Record]) -> Page:
    rows = [pick({name: _plain(value) for name, value in row.items()}) for row in found]
    content = msgspec.json.encode(rows, enc_hook=str)
    return Page(origin=reader.origin, rows=rows, received_sha256=hashlib.sha256(content).hexdigest(), received_bytes=len(content))


def _plain(value: Any) -> Any:
    """A value as other readers give it. Binary fractions are what the database's own text says they are."""
    if isinstance(value, float):
        return repr(value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


async def _connected(reader: PostgreSql, address: str, *, allow_private: bool) -> asyncpg.Connection[Any]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or 5432
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme not in ("postgresql", "postgres") or "host" in parse_qs(parts.query):
        reason = "The address of the database is not written as postgresql://user:password@host:5432/database. Correct it where it is kept."
        raise ReadingFailed(reason, is_temporary=False)
    limits = reader.limits
    try:
        await outbound.address_of(host, port, allow_private=allow_private)
        return await asyncpg.connect(
            address,
            timeout=limits.timeout_s,
            # The server ends a query that takes too long; this is for a server that no longer answers.
            command_timeout=limits.page_s + 5,
            server_settings={
                "default_transaction_read_only": "on",
                "statement_timeout": str(int(limits.page_s * 1000)),
                "application_name": "vendor-mgmt",
            },
        )
    except outbound.Refused as error:
        raise ReadingFailed(str(error), is_temporary=False) from None
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise ReadingFailed(f"The database does not let us in: {error}.", is_temporary=False) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        what = type(error).__name__ if isinstance(error, ValueError) else str(error) or type(error).__name__
        raise ReadingFailed(f"The database cannot be reached: {what}.", is_temporary=True) from None
