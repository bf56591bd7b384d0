"""The tables and migrations of `scorecards`, as Piccolo wants them named."""

from piccolo.conf.apps import AppConfig

from contracts.piccolo_app import migrations_folder, tables_of

APP_CONFIG = AppConfig(
    app_name="scorecards",
    migrations_folder_path=migrations_folder("scorecards"),
    table_classes=tables_of("scorecards"),
    migration_dependencies=["contracts.piccolo_app"],
)
