"""Two services on one data folder: what the second does when the first, who runs the database, is no more.

Ends are awaited by asking, as a browser would: every answer has to come at once, and none may be anything but 200 or 503.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from vendor_mgmt.embedded_postgres import EmbeddedPostgres

COMMAND = [sys.executable, "-m", "vendor_mgmt"]
TIMES = int(os.environ.get("VENDOR_MGMT_TEST_TIMES", "1"))
"""How often each trial is made; `make soak` asks for more."""

ANSWERS_WITHIN_S = 5.0
"""No request may take longer, with or without a database."""

TAKES_OVER_WITHIN_S = 20.0
"""A few seconds on a machine of one's own; a busy one is given more."""


class Service:
    """`vendor-mgmt serve` on a port of its own."""

    def __init__(self, data_dir: Path, name: str) -> None:
        environment = {**os.environ, "VENDOR_MGMT_DATA_DIR": str(data_dir)}
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}-{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*COMMAND, "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=log)
        self.base = ""

    def wait_until_it_serves(self) -> Service:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(rb"Open (http://[^/]+)/", line):
                self.base = found[1].decode()
                return self
        raise AssertionError(f"It ended with {self.process.wait()}: {self.log.read_text()[-3000:]}")

    def ask(self) -> httpx.Response:
        token = (self.data_dir / "access_token").read_text().strip()
        return httpx.get(f"{self.base}/api/v1/sites", headers={"Authorization": f"Bearer {token}"}, timeout=ANSWERS_WITHIN_S)

    def is_ready(self) -> bool:
        return httpx.get(f"{self.base}/ready", timeout=ANSWERS_WITHIN_S).status_code == 200

    def answers_again(self) -> list[int]:
        """Ask until the answer is a 200, everything else is ready too, and say which answers came on the way."""
        deadline = time.monotonic() + TAKES_OVER_WITHIN_S
        came = []
        while time.monotonic() < deadline:
            answer = self.ask()
            came.append(answer.status_code)
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 503:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["type"] == "/problems/unavailable"
                assert answer.headers["retry-after"]
            elif self.is_ready():
                return came
            assert self.process.poll() is None, self.log.read_text()[-3000:]
        raise AssertionError(f"It did not recover: {came[-3:]}, {self.log.read_text()[-5000:]}")

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def tracebacks(self) -> list[str]:
        return [line.replace("\\n", "\n") for line in self.log.read_text().splitlines() if "Traceback" in line]


@pytest.fixture
def data_dir(short_folder: Path, request: pytest.FixtureRequest) -> Path:
    return short_folder / f"over-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def services(data_dir: Path) -> Iterator[tuple[Service, Service]]:
    """The owner of the database, and its guest."""
    with ExitStack() as stack:
        pair = []
        for name in ("owner", "guest"):
            service = Service(data_dir, name)
            stack.callback(service.end)
            pair.append(service.wait_until_it_serves())
        yield pair[0], pair[1]


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])


def endpoint(data_dir: Path) -> str:
    return str(json.loads((data_dir / "postgres" / "endpoint.json").read_text())["port"])


@pytest.mark.parametrize("trial", range(TIMES))
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_when_the_owner_ends_the_guest_takes_the_database_over(
    services: tuple[Service, Service], data_dir: Path, number: signal.Signals, trial: int
) -> None:
    owner, guest = services
    assert guest.ask().status_code == 200
    owner.process.send_signal(number)
    assert owner.process.wait(timeout=30) == (0 if number == signal.SIGTERM else -9)
    guest.answers_again()
    # It owns the server now, and stops it at its own end.
    running = server_pid(data_dir)
    assert guest.end() == 0
    assert not Path(f"/proc/{running}").exists()
    assert not guest.tracebacks(), "\n".join(guest.tracebacks())


@pytest.mark.parametrize("trial", range(TIMES))
def test_when_the_database_is_killed_its_owner_ends_and_the_guest_brings_it_back(
    services: tuple[Service, Service], data_dir: Path, trial: int
) -> None:
    owner, guest = services
    os.kill(server_pid(data_dir), signal.SIGKILL)
    assert owner.process.wait(timeout=30) == 3
    assert "The embedded database ended" in owner.log.read_text()
    guest.answers_again()
    assert guest.end() == 0
    assert not guest.tracebacks(), "\n".join(guest.tracebacks())


@pytest.mark.parametrize("trial", range(TIMES))
def test_two_started_at_the_same_instant_on_an_empty_folder_both_serve(data_dir: Path, trial: int) -> None:
    with ExitStack() as stack:
        pair = [Service(data_dir, name) for name in ("one", "two")]
        for service in pair:
            stack.callback(service.end)
        for service in pair:
            service.wait_until_it_serves()
        assert [service.ask().status_code for service in pair] == [200, 200]
        # Whoever of them owns the database, the other one can do without them.
        for index, service in enumerate(pair):
            assert service.end() == 0
            if index == 0:
                pair[1].answers_again()


def test_a_third_follows_to_the_server_of_whoever_was_quicker(services: tuple[Service, Service], data_dir: Path) -> None:
    owner, second = services
    third = Service(data_dir, "third").wait_until_it_serves()
    try:
        before = endpoint(data_dir)
        assert owner.end() == 0
        second.answers_again()
        third.answers_again()
        assert endpoint(data_dir) != before, "a new server takes a new port, so both had to learn of it"
    finally:
        assert third.end() == 0


def test_a_guest_that_cannot_take_over_says_why_and_ends(services: tuple[Service, Service], data_dir: Path) -> None:
    owner, guest = services
    (data_dir / "postgres" / "data" / "postgresql.conf").write_text("nonsense = 1\n")
    assert owner.end() == 0
    assert guest.process.wait(timeout=30) == 3
    said = guest.log.read_text()
    assert "The embedded PostgreSQL did not start" in said
    assert not guest.tracebacks(), "\n".join(guest.tracebacks())


def test_a_worker_follows_too(data_dir: Path) -> None:
    owner = Service(data_dir, "owner").wait_until_it_serves()
    environment = {**os.environ, "VENDOR_MGMT_DATA_DIR": str(data_dir)}
    log = data_dir.parent / f"{data_dir.name}-worker.log"
    with log.open("wb") as stderr:
        worker = subprocess.Popen([*COMMAND, "worker"], env=environment, stderr=stderr)
    try:
        deadline = time.monotonic() + TAKES_OVER_WITHIN_S
        while "is ready" not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        before = endpoint(data_dir)
        assert owner.end() == 0
        # The worker has the database running now; others may join it.
        with EmbeddedPostgres(data_dir) as joined:
            assert str(joined.port) != before
            assert worker.poll() is None
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=30) == 0
    assert "Traceback" not in log.read_text()
