"""The doctor: what it looks at, what it says, and that it changes nothing."""

from __future__ import annotations

import asyncio
import os
import pwd
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from click.testing import CliRunner

from vendor_mgmt import doctor, migrating
from vendor_mgmt.commands.doctor import command
from vendor_mgmt.database import pool, transaction
from vendor_mgmt.database_roles import Standing
from vendor_mgmt.doctor import Check
from vendor_mgmt.embedded_postgres import EmbeddedPostgres, find_binaries
from vendor_mgmt.engine import connect
from vendor_mgmt.escalations.queries import Stuck
from vendor_mgmt.settings import Settings, secret_key

NOW = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)


@pytest.fixture
def data_dir(short_folder: Path, request: pytest.FixtureRequest) -> Path:
    return short_folder / str(request.node.name)


def examined(data_dir: Path, **environment: str) -> dict[str, Check]:
    found = doctor.examine({"VENDOR_MGMT_DATA_DIR": str(data_dir), **environment}, NOW)
    assert all(check.repair for check in found if check.status != "ok"), "whatever is found wrong comes with its repair"
    return {check.name: check for check in found}


def snapshot(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_mode) for path in folder.rglob("*")) if folder.exists() else []


def test_a_sound_installation_has_nothing_to_repair(data_dir: Path, database_url: str) -> None:
    found = examined(data_dir, DATABASE_URL=database_url)
    assert [check for check in found.values() if check.status == "repair"] == []
    expected = ["settings", "data folder", "output folder", "secret key", "database", "roles", "migrations", "clock", "tickets", "outbox"]
    assert list(found) == [*expected, "pdf", "fonts", "time zones", "backup"]
    password = urlsplit(database_url).password
    assert password
    assert password not in str(found)


def test_before_the_first_start_it_says_what_will_be_made_and_makes_nothing(data_dir: Path) -> None:
    found = examined(data_dir)
    assert found["database"].status == "advice"
    assert found["database"].repair == "vendor-mgmt migrate"
    assert not data_dir.exists()


def test_it_looks_at_the_embedded_database_and_leaves_it_as_it_was(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, options={"fsync": "off"}) as endpoint:
        asyncio.run(migrating.migrate(endpoint.url))
    before = snapshot(data_dir / "backups"), sorted(path.name for path in data_dir.iterdir())
    found = examined(data_dir)
    assert found["database"].found.endswith("embedded")
    assert found["migrations"].status == "ok"
    assert (snapshot(data_dir / "backups"), sorted(path.name for path in data_dir.iterdir())) == before
    assert not (data_dir / "postgres" / "endpoint.json").exists(), "it was stopped again"


def test_every_setting_that_is_wrong_is_a_finding(data_dir: Path) -> None:
    found = doctor.examine({"VENDOR_MGMT_PORT": "x", "VENDOR_MGMT_PAPER": "a5"})
    assert [(check.name, check.status) for check in found] == [("settings", "repair")] * 2
    del data_dir


def test_migrations_that_wait_are_named_with_the_command(data_dir: Path, empty_database_url: str) -> None:
    found = examined(data_dir, DATABASE_URL=empty_database_url)
    assert found["migrations"].status == "repair"
    assert found["migrations"].repair == "vendor-mgmt migrate"
    assert "contracts" in found["migrations"].found


def test_a_database_of_another_line_of_development_is_told_with_the_way_out(data_dir: Path, empty_database_url: str) -> None:
    execute(empty_database_url, "CREATE TABLE migration AS SELECT 'contracts' AS app_name, '2020-01-01T00:00:00:000000' AS name")
    found = examined(data_dir, DATABASE_URL=empty_database_url)["migrations"]
    assert found.status == "repair"
    assert "contracts 2020-01-01" in found.found
    assert "pg_dump" in found.repair


def test_an_absent_server_does_not_keep_the_other_checks_from_running(data_dir: Path) -> None:
    found = examined(data_dir, DATABASE_URL="postgresql://clerk:hush-hush@127.0.0.1:1/books")
    assert found["database"].status == "repair"
    assert found["database"].found == "nothing listens at 127.0.0.1 port 1"
    assert "hush-hush" not in str(found)
    assert found["backup"].status == "advice"


def test_a_server_whose_clock_is_an_hour_ahead_is_found(data_dir: Path, database_url: str) -> None:
    execute(database_url, "CREATE SCHEMA ahead")
    an_hour_ahead = "RETURNS timestamptz LANGUAGE sql AS $$SELECT now() + interval '1 hour'$$"
    execute(database_url, f"CREATE FUNCTION ahead.clock_timestamp() {an_hour_ahead}")
    name = urlsplit(database_url).path[1:]
    execute(database_url, f"ALTER DATABASE {name} SET search_path = ahead, public, pg_catalog")
    found = examined(data_dir, DATABASE_URL=database_url)["clock"]
    assert (found.status, found.found) == ("repair", "this machine and the database are 3600 s apart")
    assert "timedatectl" in found.repair


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can become a user who may not read another's home folder")
def test_the_home_folder_of_another_user_is_named_as_what_is_wrong(short_folder: Path, database_url: str) -> None:
    home = short_folder / "closed-home"
    home.mkdir(mode=0o700)
    code = (
        "import asyncio, os\nfrom vendor_mgmt.engine import DatabaseUnavailable, connect\n"
        "async def look():\n    async with connect(os.environ['DATABASE_URL']): pass\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: asyncio.run(look())\nexcept DatabaseUnavailable as error: print(error.problem, error.repair)\n"
    )
    environment = {**os.environ, "HOME": str(home), "DATABASE_URL": database_url}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert f"{home}/.postgresql/postgresql.key may not be read Set HOME" in done.stdout


def test_a_host_that_has_no_address_is_told(data_dir: Path) -> None:
    found = examined(data_dir, DATABASE_URL="postgresql://clerk@db.invalid/books")["database"]
    assert found.found.startswith("the name db.invalid is not known here")


def test_a_missing_role_comes_with_the_statement_that_makes_it() -> None:
    lacking = doctor.roles(Standing(login='odd"name', exists=False, may_become=False, may_create=False))
    assert lacking.repair.endswith('CREATE ROLE vendor_mgmt_app NOLOGIN; GRANT vendor_mgmt_app TO "odd""name";')
    ungranted = doctor.roles(Standing(login="clerk", exists=True, may_become=False, may_create=False))
    assert ungranted.repair.endswith(': GRANT vendor_mgmt_app TO "clerk";')
    too_much = doctor.roles(Standing(login="clerk", exists=True, may_become=True, may_create=True))
    assert "REVOKE CREATE ON SCHEMA public" in too_much.repair
    assert doctor.roles(Standing(login="clerk", exists=True, may_become=True, may_create=False)).status == "ok"


def test_a_role_with_too_many_rights_is_found_on_a_real_server(data_dir: Path, database_url: str) -> None:
    execute(database_url, "GRANT CREATE ON SCHEMA public TO vendor_mgmt_app")
    assert examined(data_dir, DATABASE_URL=database_url)["roles"].status == "repair"


@pytest.mark.parametrize(
    ("theirs", "status"),
    [(0, "ok"), (4, "ok"), (-4, "ok"), (6, "repair"), (-6, "repair"), (3600, "repair")],
)
def test_clocks_that_differ_by_more_than_five_seconds_are_told(theirs: int, status: str) -> None:
    assert doctor.clocks(NOW, NOW + timedelta(seconds=theirs), NOW).status == status


def test_a_slow_answer_is_no_difference_of_clocks() -> None:
    assert doctor.clocks(NOW, NOW + timedelta(seconds=20), NOW + timedelta(seconds=40)).status == "ok"


# Folders and the key


def folders_looked_at_by_nobody(settings: Settings) -> Check:
    """What doctor says of the data folder to a user who is not root; rights do not bind root, so a child becomes somebody else."""
    reading, writing = os.pipe()
    nobody = pwd.getpwnam("nobody")
    # Once before, because the child may not be able to read what is still to be imported.
    doctor.folders(settings)
    if (child := os.fork()) == 0:
        try:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.write(writing, msgspec.json.encode(doctor.folders(settings)[0]))
        finally:
            # Whatever happened: a child that went on would run the rest of the tests a second time.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = msgspec.json.decode(answer.read(), type=Check)
    os.waitpid(child, 0)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can become a user who may not write")
@pytest.mark.parametrize(("rights", "shown"), [(0o755, "drwxr-xr-x"), (0o700, "drwx------")], ids=["may look", "may not even look"])
def test_a_folder_that_cannot_be_written_to_is_named_with_its_rights(short_folder: Path, rights: int, shown: str) -> None:
    closed = short_folder / f"closed-{rights:o}"
    closed.mkdir()
    (closed / "data").mkdir()
    closed.chmod(rights)
    found = folders_looked_at_by_nobody(Settings(data_dir=closed / "data" / "deeper", out_dir=closed / "out"))
    assert found.status == "repair"
    named = closed if rights == 0o700 else closed / "data"
    assert f"{named} cannot be written to by the user nobody ({shown})" in found.found
    assert "VENDOR_MGMT_DATA_DIR" in found.repair


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES_MIN", 10**18)
    found = doctor.folders(Settings(data_dir=tmp_path))[0]
    assert found.status == "repair"
    assert "MB left" in found.found


def test_a_key_that_others_can_read_is_told_and_not_changed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    secret_key(settings)
    assert doctor.signing_key(settings).status == "ok"
    (tmp_path / "secret_key").chmod(0o644)
    assert doctor.signing_key(settings).repair == f"chmod 600 {tmp_path}/secret_key"
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o644
    (tmp_path / "secret_key").write_text("short")
    assert "holds 5 characters" in doctor.signing_key(settings).found


# PDFs and fonts


def answering(**answers: tuple[int, str, str]) -> doctor.Runner:
    """A machine that answers `python` and `fc-list` like this; languages go by their code."""

    def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        name = "python" if arguments[0] != "fc-list" else arguments[1].removeprefix(":lang=").replace("-", "_")
        code, out, err = answers.get(name, (0, "Some Font", ""))
        return subprocess.CompletedProcess(arguments, code, out, err)

    return run


def test_this_machine_makes_pdfs() -> None:
    """Set-up has installed what is needed, or the tests of PDFs could not run either."""
    assert next(check for check in doctor.pdf() if check.name == "pdf").status == "ok"


def test_without_pango_it_quotes_the_reason_and_names_the_packages() -> None:
    [pdf, _] = doctor.pdf(answering(python=(1, "", "Traceback …\nOSError: cannot load library 'libpango-1.0-0'")))
    assert pdf.found == "WeasyPrint does not work: OSError: cannot load library 'libpango-1.0-0'"
    assert "libpango-1.0-0" in pdf.repair


def test_a_script_without_a_font_is_advice_and_no_font_at_all_is_not() -> None:
    [_, fonts] = doctor.pdf(answering(th=(0, "", ""), zh_cn=(0, "", "")))
    assert (fonts.status, fonts.found.split(";")[0]) == ("advice", "no font writes th, zh-cn")
    [_, fonts] = doctor.pdf(answering(**{language.replace("-", "_"): (0, "", "") for language in doctor.LANGUAGES}))
    assert fonts.status == "repair"


def test_on_a_machine_without_any_font_what_is_missing_is_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For real: fontconfig is told of an empty folder. Pango fails then as well, and not for want of Pango."""
    (tmp_path / "none").mkdir()
    (tmp_path / "fonts.conf").write_text(f'<?xml version="1.0"?><fontconfig><dir>{tmp_path}/none</dir></fontconfig>')
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "fonts.conf"))
    found = {check.name: check for check in doctor.pdf()}
    assert found["fonts"].status == "repair"
    assert {check.repair for check in found.values() if check.status == "repair"} == {"apt-get install fonts-noto-core"}


# Backups


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups"


def dump(folder: Path, name: str, age: timedelta, content: bytes = b"PGDMP\x01") -> None:
    (folder / name).write_bytes(content)
    moment = (NOW - age).timestamp()
    os.utime(folder / name, (moment, moment))


def test_the_newest_dump_counts(backups: Path) -> None:
    settings = Settings(data_dir=backups.parent)
    dump(backups, "old.dump", timedelta(days=30))
    assert doctor.last_backup(settings, NOW).status == "repair"
    dump(backups, "new.dump", timedelta(days=1))
    found = doctor.last_backup(settings, NOW)
    assert (found.status, found.found) == ("ok", f"{backups}/new.dump is 1 days old")


def test_a_file_that_is_no_dump_is_no_backup(backups: Path) -> None:
    dump(backups, "failed.dump", timedelta(0), content=b"")
    dump(backups, "notes.txt", timedelta(0), content=b"remember the backup")
    assert "no backup recorded" in doctor.last_backup(Settings(data_dir=backups.parent), NOW).found


def test_the_command_it_gives_makes_a_backup_that_can_be_restored(short_folder: Path) -> None:
    settings = Settings(data_dir=short_folder / "with a space")
    with EmbeddedPostgres(settings.data_dir, options={"fsync": "off"}) as endpoint:
        asyncio.run(migrating.migrate(endpoint.url))
        execute(endpoint.url, "INSERT INTO vendor (code, name, in_house, created_at) VALUES ('acme', 'Acme', false, now())")
        recipe = doctor.last_backup(settings, NOW).repair.removeprefix("While the service runs: ")
        subprocess.run(recipe, shell=True, check=True)  # noqa: S602  (a person would type it into a shell)
    found = doctor.last_backup(settings, datetime.now(UTC))
    assert (found.status, found.found.split()[-4:]) == ("ok", ["is", "0", "days", "old"])

    [backup] = settings.backup_dir.iterdir()
    restored = EmbeddedPostgres(short_folder / "restored", options={"fsync": "off"})
    with restored as endpoint:
        asyncio.run(migrating.migrate(endpoint.url))
        pg_restore = [str(next(find_binaries()).bin_dir / "pg_restore"), "--clean", "--if-exists", "--no-owner"]
        command = [*pg_restore, "--dbname=service=vendor_mgmt", str(backup)]
        subprocess.run(command, check=True, env={"PGSERVICEFILE": str(restored.service_file)})
        assert asyncio.run(migrating.pending(endpoint.url)) == []
        assert asyncio.run(names_of_vendors(endpoint.url)) == ["vendor_mgmt_app", "Acme"]


def execute(url: str, statement: str) -> None:
    async def work() -> None:
        async with connect(url) as connection:
            await connection.execute(statement)

    asyncio.run(work())


async def names_of_vendors(url: str) -> list[str]:
    """As the service sees them, with its own name in front."""
    async with pool(url), transaction() as connection:
        rows = await connection.fetch("SELECT current_user::text AS name UNION ALL SELECT name FROM vendor")
    return [row["name"] for row in rows]


# The command


def test_the_command_prints_findings_and_exits_with_1_only_for_repairs(
    data_dir: Path, empty_database_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VENDOR_MGMT_DATA_DIR", str(data_dir))
    monkeypatch.setenv("DATABASE_URL", database_url)
    sound = CliRunner().invoke(command)
    assert sound.exit_code == 0, sound.output
    assert "advice  backup: no backup recorded" in sound.output

    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    unsound = CliRunner().invoke(command, ["--json"])
    assert unsound.exit_code == 1
    answer = msgspec.json.decode(unsound.output)
    assert answer["sound"] is False
    assert {"name": "clock", "status": "ok", "found": "this machine and the database agree", "repair": ""} in answer["checks"]


def test_a_ticket_that_nobody_sweeps_is_found_and_what_waits_in_the_outbox_is_counted() -> None:
    late = Stuck(number="HARBOUR-CX-T0007", state="opened", next_due_at=datetime(2026, 4, 6, tzinfo=UTC))
    found = doctor.unattended([late])
    assert (found.status, "HARBOUR-CX-T0007" in found.found) == ("repair", True)
    assert doctor.unattended([]).status == "ok"
    waiting = doctor.unsettled({"pending": 4, "dead": 2, "uncertain": 1})
    assert (waiting.status, waiting.found) == ("advice", "2 dead and 1 uncertain messages wait for a person")
    assert doctor.unsettled({"pending": 4}).status == "ok"
