"""Piccolo's engine, made safe for a service.

Three things of `PostgresEngine` do not suit us, and each is a few lines here:

* Making one connects to the server, at import time, and again for every name it checks. Ours connects when somebody asks something.
* Its address is fixed when it is made, which is before the embedded server has one. Ours is told with `point_at`, or reads `DATABASE_URL`
  when first used (so that Piccolo's own tools work).
* When COMMIT itself fails (a deferred constraint, a serialization conflict), its transaction neither gives the connection back nor forgets
  the dead transaction; the pool then never closes and later work of the same task runs without any transaction. Ours does both, always.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

import asyncpg
from piccolo.engine.postgres import PostgresEngine, PostgresTransaction

Isolation = Literal["read_committed", "repeatable_read", "serializable"]


class DatabaseNotChosen(Exception):
    """A query was made before anybody said which database it is for."""

    def __init__(self) -> None:
        super().__init__(
            "No database was chosen: set DATABASE_URL, or open the work with vendor_mgmt.database.running(settings), which starts the "
            "embedded one."
        )


class SafeTransaction(PostgresTransaction):
    """A transaction that leaves nothing behind, however it ends. See the module's third point."""

    __slots__ = ("_isolation", "_readonly")

    def __init__(
        self,
        engine: PostgresEngine,
        allow_nested: bool = True,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
    ) -> None:
        super().__init__(engine, allow_nested)
        self._isolation = isolation
        self._readonly = readonly

    async def __aenter__(self) -> PostgresTransaction:
        if self._parent is not None:
            return self._parent
        self.connection = await self.get_connection()
        try:
            self.transaction = self.connection.transaction(isolation=self._isolation, readonly=self._readonly)
            await self.begin()
        except BaseException:
            await self._give_back()
            raise
        self.context = self.engine.current_transaction.set(self)
        return self

    async def __aexit__(self, exception_type: object, exception: object, traceback: object) -> bool:
        if self._parent is not None:
            return False
        try:
            if not (self._committed or self._rolled_back):
                # Cancellation arrives as an exception too, so nothing half-done is ever committed.
                await (self.commit() if exception_type is None else self.rollback())
        finally:
            self.engine.current_transaction.reset(self.context)
            await self._give_back()
        return False

    async def _give_back(self) -> None:
        if self.engine.pool is not None:
            await self.engine.pool.release(self.connection)
        else:
            await self.connection.close()


class Engine(PostgresEngine):
    """The kind of engine; `DB` below is the one engine of the process, which Piccolo's tables find by themselves."""

    def __init__(self) -> None:
        self._given: dict[str, Any] = {}
        super().__init__(config={})

    def point_at(self, dsn: str, **options: Any) -> None:
        """Use the database at `dsn` from now on; `options` are those of `asyncpg.connect`. Refused while a pool is open."""
        if self.pool is not None:
            raise RuntimeError("The database cannot be changed while its connection pool is open")
        self._given = {"dsn": dsn, **options}

    def forget(self) -> None:
        """Undo `point_at`."""
        self._given = {}

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of `asyncpg.connect`. Raises `DatabaseNotChosen`."""
        if self._given:
            return self._given
        dsn = os.environ.get("DATABASE_URL")
        if not dsn:
            raise DatabaseNotChosen
        return {"dsn": dsn}

    @config.setter
    def config(self, value: Mapping[str, Any]) -> None:
        """Piccolo's constructor sets this to what it was given, which is nothing."""

    async def check_version(self) -> None:
        """Piccolo would connect here, while modules are being imported. `vendor_mgmt.database` checks the version instead."""

    async def prep_database(self) -> None:
        """Piccolo would create extensions here; the schema needs none."""

    def transaction(
        self,
        allow_nested: bool = True,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
    ) -> SafeTransaction:
        return SafeTransaction(self, allow_nested, isolation=isolation, readonly=readonly)

    async def get_new_connection(self) -> asyncpg.Connection[Any]:
        return await asyncpg.connect(**self.config)


DB = Engine()
