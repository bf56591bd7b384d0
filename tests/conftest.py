"""What tests share: a real PostgreSQL with a migrated database for each test, and how hard hypothesis tries.

The server is the product's own embedded one, in a temporary folder, without waiting for the disk. To test against another server instead,
name one whose login may create databases and roles: `VENDOR_MGMT_TEST_DATABASE_URL=postgresql://… pytest`.

    async def test_x(database: str) -> None: ...     a fresh migrated database, with Piccolo's tables and `transaction` working on it
    def test_x(database_url: str) -> None: ...       the same, nothing connected yet
    def test_x(empty_database_url: str) -> None: ... a database without any tables
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pytest
from psycopg import sql

from vendor_mgmt import migrating
from vendor_mgmt.database import pool
from vendor_mgmt.embedded_postgres import EmbeddedPostgres

# A developer's own settings must neither change results nor lead a test to a database with real data.
for variable in list(os.environ):
    if variable == "DATABASE_URL" or (variable.startswith("VENDOR_MGMT_") and not variable.startswith("VENDOR_MGMT_TEST_")):
        del os.environ[variable]

# The machine's load decides how long an example takes, so no deadline says anything about the code.
hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, print_blob=True, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}

numbers = count(1)


def pytest_report_header() -> str:
    return f"database: {'VENDOR_MGMT_TEST_DATABASE_URL' if 'VENDOR_MGMT_TEST_DATABASE_URL' in os.environ else 'embedded PostgreSQL'}"


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder that the database server's own user can reach, which pytest's are not for root."""
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder


@pytest.fixture(scope="session")
def server_url(short_folder: Path) -> Iterator[str]:
    """Address of the server that the tests of this session share; its database is nobody's."""
    if url := os.environ.get("VENDOR_MGMT_TEST_DATABASE_URL"):
        yield url
        return
    with EmbeddedPostgres(short_folder / "shared", options=NOT_DURABLE) as endpoint:
        yield endpoint.url


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """Name of a migrated database that others are copied from. Nothing may stay connected to it."""
    with FreshDatabase(server_url) as url:
        asyncio.run(migrating.migrate(url))
        yield urlsplit(url).path.lstrip("/")


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    with FreshDatabase(server_url, template) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    with FreshDatabase(server_url) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[str]:
    async with pool(database_url):
        yield database_url


class FreshDatabase:
    """A new database on the server, gone after the block: `with FreshDatabase(server_url) as url: ...`."""

    def __init__(self, server_url: str, template: str = "template0") -> None:
        self.server_url = server_url
        self.template = template
        self.name = f"test_{os.getpid()}_{next(numbers)}"

    def __enter__(self) -> str:
        self._execute("CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8'")
        return urlsplit(self.server_url)._replace(path=f"/{self.name}").geturl()

    def __exit__(self, *_: object) -> None:
        self._execute("DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            names = {"name": sql.Identifier(self.name), "template": sql.Identifier(self.template)}
            connection.execute(sql.SQL(statement).format(**names))
