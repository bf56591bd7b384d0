# Written by `vendor-mgmt migrate new` from the tables as they then were. Read it before it is committed; afterwards it is never changed.
from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.columns.column_types import Text
from piccolo.columns.indexes import IndexMethod

ID = "2026-11-22T21:09:12:055853"
VERSION = "1.38.0"
DESCRIPTION = "Know files again by the mark of their place"


async def forwards() -> MigrationManager:
    manager = MigrationManager(
        migration_id=ID, app_name="vendor_mgmt", description=DESCRIPTION
    )

    manager.add_column(
        table_class_name="SourceFile",
        tablename="source_file",
        column_name="mark",
        db_column_name="mark",
        column_class_name="Text",
        column_class=Text,
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
