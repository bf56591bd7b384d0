"""The tables and migrations of the service, as Piccolo wants them named."""

from piccolo.conf.apps import AppConfig

from contracts.piccolo_app import migrations_folder, tables_of

APP_CONFIG = AppConfig(
    app_name="vendor_mgmt",
    migrations_folder_path=migrations_folder("vendor_mgmt"),
    table_classes=tables_of("vendor_mgmt"),
    migration_dependencies=["contracts.piccolo_app", "scorecards.piccolo_app"],
)
