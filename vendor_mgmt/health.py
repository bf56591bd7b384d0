"""Whether the process lives, and whether it can do its work. For supervisors and load balancers, so nobody needs to sign in."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from vendor_mgmt import migrating
from vendor_mgmt.database import transaction
from vendor_mgmt.service import Service

PATIENCE_S = 2.0

State = Literal["ok", "failing", "elsewhere"]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """What the process needs. `elsewhere`: another process on the same database does it."""

    status: Literal["ready", "not_ready"]
    database: State
    migrations: State
    clock: State
    worker: State


@get("/health", opt={"is_public": True}, include_in_schema=False)
async def health() -> Response[Health]:
    """200 as long as the process answers at all."""
    return Response(Health(), headers={"Cache-Control": "no-store"})


@get("/ready", opt={"is_public": True}, include_in_schema=False)
async def ready(service: NamedDependency[Service]) -> Response[Readiness]:
    """200 where everything works, 503 with the part that does not."""
    found = await readiness(service)
    return Response(found, status_code=200 if found.status == "ready" else 503, headers={"Cache-Control": "no-store"})


async def readiness(service: Service) -> Readiness:
    database: State = "failing"
    migrations: State = "failing"
    worker: State = "failing"
    roles = service.settings.roles
    try:
        async with asyncio.timeout(PATIENCE_S), transaction(readonly=True) as connection:
            applied = {(row["app_name"], row["name"]) for row in await connection.fetch("SELECT app_name, name FROM migration")}
            beaten = await connection.fetchval(_WORKER_BEATS)
        database = "ok"
        if applied >= _known_migrations():
            migrations = "ok"
        if beaten:
            worker = "ok"
        elif "worker" not in roles:
            worker = "elsewhere"
    except Exception:  # noqa: BLE001 - whatever it is, the answer is that it does not work
        database = "failing"
    clock: State = "elsewhere" if "clock" not in roles else "ok" if service.clock_is_alive else "failing"
    is_ready = not service.stopping.is_set() and "failing" not in (database, migrations, worker, clock)
    return Readiness(status="ready" if is_ready else "not_ready", database=database, migrations=migrations, clock=clock, worker=worker)


_WORKER_BEATS = "SELECT EXISTS (SELECT FROM queue.procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds')"

_KNOWN: set[tuple[str, str]] = set()


def _known_migrations() -> set[tuple[str, str]]:
    """The migrations of this program. They do not change while it runs."""
    if not _KNOWN:
        _KNOWN.update((app.app_name, name) for app in migrating.apps() for name in migrating.migrations_of(app))
    return _KNOWN
