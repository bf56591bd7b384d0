"""The tables and migrations of `contracts`, as Piccolo wants them named, and how the other two apps find theirs."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder
from piccolo.table import Table

ROOT = Path(__file__).parent.parent


def migrations_folder(app: str) -> Path:
    """The folder with the migrations of `app`. In an installed wheel they travel inside the service's package; a top-level
    `migrations` among installed packages could be anybody's.
    """
    installed = ROOT / "vendor_mgmt" / "_migrations"
    return (installed if installed.is_dir() else ROOT / "migrations") / app


def tables_of(package: str) -> list[type[Table]]:
    """Every table defined in a module called `tables` in `package` or below it, in the order of the modules' names."""
    modules = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / package).rglob("tables.py"))
    # Tables that a module merely imports, to refer to them, belong to the module that defines them.
    return table_finder(modules, exclude_imported=True)


APP_CONFIG = AppConfig(
    app_name="contracts",
    migrations_folder_path=migrations_folder("contracts"),
    table_classes=tables_of("contracts"),
)
