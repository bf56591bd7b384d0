"""Who may do what in the database.

The login that migrates owns the tables. The service works as `vendor_mgmt_app`, which may read and write rows and nothing else: a mistake
in a query cannot drop, alter or create anything, and row-level security, which never holds for a table's owner, holds for it.

`vendor_mgmt_app` cannot sign in; the service's login is a member of it and takes its place for every connection
(`vendor_mgmt.database.session_settings`). Roles belong to a whole server rather than to one database, so making one is not a migration:
`prepare` runs at the start of every `migrate`, and does nothing where everything is in place.

Row-level security rests on this: a table's policy for `vendor_mgmt_app` compares its vendor with the setting `app.vendors`, which a scoped
transaction sets for itself alone (`SELECT set_config('app.vendors', '{3,7}', true)`).
"""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import asyncpg

SERVICE = "vendor_mgmt_app"

# What a database administrator runs where our login may not make roles; %s is the service's login.
BY_HAND = f"CREATE ROLE {SERVICE} NOLOGIN; GRANT {SERVICE} TO %s;"

SCHEMAS = ("public", "queue")


class Standing(NamedTuple):
    """How the login of a connection stands towards the service's role."""

    login: str
    exists: bool
    """Whether the service's role exists on this server."""

    may_become: bool
    """Whether the login may take the role."""

    may_create: bool
    """Whether the role may create tables in the schema `public`, which it should not."""

    @property
    def by_hand(self) -> str:
        """The statements that put it right, for a database administrator."""
        login = '"' + self.login.replace('"', '""') + '"'
        return BY_HAND % login if not self.exists else f"GRANT {SERVICE} TO {login};"


async def standing(connection: asyncpg.Connection[Any]) -> Standing:
    # SET is a right of its own since version 16; before, being a member was enough.
    right = "SET" if connection.get_server_version() >= (16,) else "MEMBER"
    [row] = await connection.fetch(
        """
        SELECT session_user AS login,
               role.oid IS NOT NULL AS "exists",
               coalesce(pg_has_role(session_user, role.oid, $2), false) AS may_become,
               coalesce(has_schema_privilege(role.oid, 'public', 'CREATE'), false) AS may_create
          FROM (SELECT) AS one LEFT JOIN pg_roles AS role ON role.rolname = $1
        """,
        SERVICE,
        right,
    )
    return Standing(**row)


async def prepare(connection: asyncpg.Connection[Any]) -> Standing:
    """Make the service's role if need be and if allowed, and let it use what this login's migrations create from now on.

    What a migration takes away from the role again (the right to change rows of a table that only grows, say) stays taken away:
    rights are given as defaults for new tables, and to existing tables only when the role has just come into being.
    """
    found = await standing(connection)
    if not found.exists:
        # Not allowed to; or somebody else, migrating another database of this server, made it at the same moment.
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError, asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await connection.execute(f"CREATE ROLE {SERVICE} NOLOGIN")
        found = await standing(connection)
    if found.exists and not found.may_become:
        # The error for two sessions granting at once is an internal one of the server.
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError, asyncpg.InternalServerError, asyncpg.UniqueViolationError):
            await connection.execute(f"GRANT {SERVICE} TO SESSION_USER")
        found = await standing(connection)
    if not found.exists:
        return found
    await connection.execute("CREATE SCHEMA IF NOT EXISTS queue")
    for schema in SCHEMAS:
        # A schema that already lists the role has been through here before.
        known = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_namespace, aclexplode(nspacl) AS acl"
            " WHERE nspname = $1 AND acl.grantee = to_regrole($2))",
            schema,
            SERVICE,
        )
        if known:
            continue
        await connection.execute(
            f"""
            GRANT USAGE ON SCHEMA {schema} TO {SERVICE};
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {SERVICE};
            GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {SERVICE};
            ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {SERVICE};
            ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {SERVICE};
            """
        )
    return found
