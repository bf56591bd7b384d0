"""`vendor-mgmt serve` as a process of its own: from an empty folder to serving, and to an end in order, whatever happens."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from vendor_mgmt.embedded_postgres import EmbeddedPostgres

COMMAND = [sys.executable, "-m", "vendor_mgmt"]

STOPS_WITHIN_S = 5.0
"""Two seconds on a machine of one's own, which `make bench` measures; a busy one is given more."""


class Served:
    """The service, running."""

    def __init__(self, data_dir: Path, **more: str) -> None:
        environment = {**os.environ, "VENDOR_MGMT_DATA_DIR": str(data_dir), "VENDOR_MGMT_LOG_FORMAT": "json", **more}
        self.log = data_dir.parent / f"{data_dir.name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.address = self._address()
        self.base = self.address.partition("/?")[0]

    def _address(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"Open (http://\S+)", line):
                return found[1]
        raise AssertionError(f"It ended with {self.process.wait()}: {self.log.read_text()[-3000:]}")

    def stop(self, number: signal.Signals) -> tuple[int, float]:
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        return code, time.monotonic() - began

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def bearer(self, data_dir: Path) -> dict[str, str]:
        return {"Authorization": f"Bearer {(data_dir / 'access_token').read_text().strip()}"}


@pytest.fixture
def data_dir(short_folder: Path, request: pytest.FixtureRequest) -> Path:
    return short_folder / f"serve-{abs(hash(request.node.nodeid))}"


@pytest.fixture
def served(data_dir: Path) -> Iterator[Served]:
    service = Served(data_dir)
    yield service
    if service.process.poll() is None:
        service.process.kill()
    service.process.wait()
    if service.process.stdout is not None:
        service.process.stdout.close()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def postgres_port(data_dir: Path) -> int:
    return int(json.loads((data_dir / "postgres" / "endpoint.json").read_text())["port"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_from_an_empty_folder_to_serving_and_to_a_clean_end_with_an_event_stream_open(
    served: Served, data_dir: Path, number: signal.Signals
) -> None:
    assert httpx.get(f"{served.base}/health").json() == {"status": "ok"}
    deadline = time.monotonic() + 20
    while (ready := httpx.get(f"{served.base}/ready")).status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert ready.json() == {"status": "ready", "database": "ok", "migrations": "ok", "clock": "ok", "worker": "ok"}
    # The printed address just works.
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(served.address).status_code == 200
    database = postgres_port(data_dir)
    assert is_listening(database)

    with httpx.stream("GET", f"{served.base}/events", headers=served.bearer(data_dir), timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 3000"
        code, took = served.stop(number)
        assert "event: end" in list(lines)
    assert code == 0, served.log.read_text()[-3000:]
    assert took < STOPS_WITHIN_S
    assert not is_listening(database)
    assert not [entry for entry in served.logged() if entry["level"] in ("warning", "error")]


def test_a_request_that_never_ends_does_not_keep_the_service_from_stopping(served: Served) -> None:
    host, port = served.base.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as hanging:
        hanging.sendall(b"POST /sign-out HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n")
        code, took = served.stop(signal.SIGTERM)
    assert code == 0
    assert took < STOPS_WITHIN_S


def test_killed_outright_it_starts_again_on_the_same_data_with_the_same_token(served: Served, data_dir: Path) -> None:
    token = served.bearer(data_dir)
    served.process.kill()
    served.process.wait()
    again = Served(data_dir)
    try:
        assert httpx.get(f"{again.base}/api/v1/sites", headers=token).status_code == 200
    finally:
        assert again.stop(signal.SIGTERM)[0] == 0
        assert again.process.stdout is not None
        again.process.stdout.close()


def test_without_its_embedded_database_it_ends_and_says_so(served: Served, data_dir: Path) -> None:
    pid = int((data_dir / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    assert served.process.wait(timeout=30) == 3
    assert "The embedded database ended" in served.log.read_text()


def test_a_port_in_use_is_said_in_a_sentence_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "VENDOR_MGMT_DATA_DIR": str(tmp_path / "data")}
        done = subprocess.run(
            [*COMMAND, "serve", "--port", str(port)], env=environment, capture_output=True, text=True, check=False
        )
    assert done.returncode == 3
    assert f"port {port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_two_services_share_one_folder_and_the_second_leaves_the_database_running(served: Served, data_dir: Path) -> None:
    second = Served(data_dir)
    try:
        assert httpx.get(f"{second.base}/api/v1/sites", headers=second.bearer(data_dir)).status_code == 200
    finally:
        assert second.stop(signal.SIGTERM)[0] == 0
        assert second.process.stdout is not None
        second.process.stdout.close()
    assert httpx.get(f"{served.base}/api/v1/sites", headers=served.bearer(data_dir)).status_code == 200


def test_a_link_for_another_browser_is_made_from_the_command_line(served: Served, data_dir: Path) -> None:
    environment = {**os.environ, "VENDOR_MGMT_DATA_DIR": str(data_dir), "VENDOR_MGMT_PORT": served.base.rpartition(":")[2]}
    done = subprocess.run(
        [*COMMAND, "sign-in"], env=environment, capture_output=True, text=True, check=True
    )
    with httpx.Client(follow_redirects=True) as browser:
        assert browser.get(done.stdout.strip()).status_code == 200


def test_the_embedded_server_is_the_one_the_service_uses(served: Served, data_dir: Path) -> None:
    """A guard for the tests above: what they look at is what serves."""
    with EmbeddedPostgres(data_dir) as endpoint:
        assert endpoint.port == postgres_port(data_dir)
    assert served.process.poll() is None
