# Written by `vendor-mgmt migrate new` from the tables as they then were. Read it before it is committed; afterwards it is never changed.
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Boolean
from piccolo.columns.indexes import IndexMethod

ID = "2026-11-22T18:43:22:195033"
VERSION = "1.38.0"
DESCRIPTION = "Say of a pull whether it was a dry run"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="vendor_mgmt", description=DESCRIPTION)

    manager.add_column(
        table_class_name="Pull",
        tablename="pull",
        column_name="is_dry_run",
        db_column_name="is_dry_run",
        column_class_name="Boolean",
        column_class=Boolean,
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

    return manager
