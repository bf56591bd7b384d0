# Written by `vendor-mgmt migrate new` from the tables as they then were. Read it before it is committed; afterwards it is never changed.
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import JSONB
from piccolo.columns.column_types import Numeric
from piccolo.columns.indexes import IndexMethod

ID = "2026-11-22T21:16:05:113064"
VERSION = "1.38.0"
DESCRIPTION = "Keep what a result would be without relief"


async def forwards() -> MigrationManager:
    manager = MigrationManager(
        migration_id=ID, app_name="scorecards", description=DESCRIPTION
    )

    manager.add_column(
        table_class_name="Result",
        tablename="result",
        column_name="levels_without_relief",
        db_column_name="levels_without_relief",
        column_class_name="JSONB",
        column_class=JSONB,
        params={
            "default": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    manager.add_column(
        table_class_name="Result",
        tablename="result",
        column_name="value_without_relief",
        db_column_name="value_without_relief",
        column_class_name="Numeric",
        column_class=Numeric,
        params={
            "default": None,
            "digits": None,
            "null": True,
            "primary_key": False,
            "unique": False,
            "index": False,
            "index_method": IndexMethod.btree,
            "choices": None,
            "db_column_name": None,
            "secret": False,
        },
        schema=None,
    )

    return manager
