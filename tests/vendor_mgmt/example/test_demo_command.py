"""`vendor-mgmt demo` as a person runs it: to the end, a second time, and stopped with Ctrl-C wherever it is.

Stages are awaited by what it prints, so nothing here depends on how fast the machine is.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from scorecards.rendering import key_in_file
from vendor_mgmt.example import portfolio

COMMAND = [sys.executable, "-m", "vendor_mgmt", "demo", "--today", "2026-11-22"]
STOPS_WITHIN_S = 5.0
"""Two seconds on a machine of one's own; a busy one is given more."""


class Demo:
    """A running demo, whose output is read line by line."""

    def __init__(self, data_dir: Path, out: Path, *arguments: str) -> None:
        # Every process that it starts inherits this, but for the database server, which is told by its folder.
        self.mark = f"{data_dir}-{time.monotonic_ns()}"
        self.data_dir = data_dir
        environment = {**os.environ, "VENDOR_MGMT_DATA_DIR": str(data_dir), "PYTHONUNBUFFERED": "1", "VENDOR_MGMT_TEST_MARK": self.mark}
        self.process = subprocess.Popen(
            [*COMMAND, "--out", str(out), *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.printed: list[str] = []

    def wait_for(self, pattern: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError(f"It ended with {self.process.wait()} and never said {pattern!r}:\n{''.join(self.printed)}")

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Ctrl-C goes to everything in the foreground, and so to processes that the demo started; SIGTERM to the demo alone."""
        began = time.monotonic()
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        took = time.monotonic() - began
        self._read_rest()
        return code, took

    def finish(self) -> tuple[int, str]:
        self._read_rest()
        return self.process.wait(timeout=60), "".join(self.printed)

    def _read_rest(self) -> None:
        assert self.process.stdout is not None
        self.printed += self.process.stdout.readlines()
        self.process.stdout.close()

    def left_behind(self) -> list[str]:
        """What still runs of everything that it started."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                if self.mark.encode() in (entry / "environ").read_bytes() or str(self.data_dir).encode() in command:
                    found.append(command.replace(b"\0", b" ").decode())
            except OSError:
                continue
        return found


@pytest.fixture
def folder(short_folder: Path, request: pytest.FixtureRequest) -> Path:
    path = short_folder / f"demo-{abs(hash(request.node.nodeid))}"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture(scope="module")
def played(short_folder: Path) -> tuple[Path, Path, str]:
    """A folder with the portfolio played, the folder of its PDFs, and what was printed meanwhile."""
    data_dir, out = short_folder / "demo-played", short_folder / "demo-out"
    demo = Demo(data_dir, out, "--once")
    code, printed = demo.finish()
    assert code == 0, printed
    assert demo.left_behind() == []
    return data_dir, out, printed


@pytest.fixture
def started() -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start(data_dir: Path, out: Path, *arguments: str) -> Demo:
        demos.append(Demo(data_dir, out, *arguments))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()
        if demo.process.stdout is not None:
            demo.process.stdout.close()


def test_it_ends_with_a_summary_and_a_pdf_for_every_site(played: tuple[Path, Path, str]) -> None:
    _, out, printed = played
    sites = {site.key for site in portfolio.SITES}
    assert {path.name.removesuffix("-2026-10.pdf") for path in out.iterdir()} == sites
    assert f"{len(sites)} PDFs, one for each site, in {out}/: {len(sites)} written, 0 kept" in printed


def test_a_second_run_plays_nothing_again_and_keeps_every_pdf_but_the_spoilt_one(
    played: tuple[Path, Path, str], started: Callable[..., Demo]
) -> None:
    data_dir, out, _ = played
    spoilt, *others = sorted(out.iterdir())
    spoilt.write_bytes(b"%PDF-1.7 cut off")
    before = {path: path.stat().st_mtime_ns for path in others}
    code, printed = started(data_dir, out, "--once").finish()
    assert code == 0, printed
    assert "pulls" not in printed.partition("The latest month")[0]
    assert f"1 written, {len(others)} kept because nothing in them changed." in printed
    assert {path: path.stat().st_mtime_ns for path in others} == before
    assert key_in_file(spoilt) is not None


@pytest.mark.parametrize(
    "stage",
    [
        "Starting the vendors' reporting systems",
        "Starting the database",
        "^contracts: 1 of",
        "^pulls, as first reported: 1 of",
        "^months closed: 1 of",
    ],
)
def test_ctrl_c_while_it_plays_ends_everything_in_order_and_says_that_it_was_not_done(
    folder: Path, started: Callable[..., Demo], stage: str
) -> None:
    demo = started(folder / "data", folder / "out", "--once")
    demo.wait_for(stage)
    code, took = demo.interrupt()
    printed = "".join(demo.printed)
    assert code == 130, printed
    assert "Stopped before it was done" in printed
    assert "Traceback" not in printed
    assert "Aborted" not in printed
    assert '"level":"error"' not in printed
    assert demo.left_behind() == []
    assert took < STOPS_WITHIN_S


@pytest.mark.parametrize("arguments", [("--once",), ("--port", "0")])
def test_ctrl_c_while_it_renders(
    played: tuple[Path, Path, str], folder: Path, started: Callable[..., Demo], arguments: tuple[str, ...]
) -> None:
    data_dir, _, _ = played
    demo = started(data_dir, folder / "out", *arguments)
    demo.wait_for("^scorecards rendered: 1 of")
    code, took = demo.interrupt()
    assert code == 130, demo.printed
    assert "Traceback" not in "".join(demo.printed)
    assert demo.left_behind() == []
    assert took < STOPS_WITHIN_S
    assert all(key_in_file(path) for path in (folder / "out").glob("*.pdf")), "no half a PDF under its name"
    assert not [path for path in (folder / "out").iterdir() if path.suffix != ".pdf"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0)])
def test_ctrl_c_while_it_serves_with_an_event_stream_open(
    played: tuple[Path, Path, str], started: Callable[..., Demo], number: signal.Signals, code: int
) -> None:
    data_dir, out, _ = played
    demo = started(data_dir, out, "--port", "0")
    found = re.search(r"(http://[^/]+)/", demo.wait_for("Serving on"))
    assert found is not None
    token = next(data_dir.glob("demo-*/access_token")).read_text().strip()
    with httpx.stream("GET", f"{found[1]}/events", headers={"Authorization": f"Bearer {token}"}, timeout=30) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 3000"
        ended, took = demo.interrupt(number)
        assert "event: end" in list(lines)
    assert ended == code, demo.printed
    assert demo.left_behind() == []
    assert took < STOPS_WITHIN_S


def test_a_run_that_was_stopped_half_way_is_begun_anew_and_its_folder_set_aside(folder: Path, started: Callable[..., Demo]) -> None:
    first = started(folder / "data", folder / "out", "--once")
    first.wait_for("^contracts: 1 of")
    assert first.interrupt()[0] == 130
    second = started(folder / "data", folder / "out", "--once")
    second.wait_for("was not played to its end")
    second.wait_for("^contracts: 1 of")
    assert second.interrupt()[0] == 130
    assert [path.name for path in (folder / "data").iterdir() if ".old-" in path.name]


def test_ctrl_c_in_the_first_moment_is_a_sentence_too(folder: Path) -> None:
    """While a command is still being imported, which takes longest where the machine is slow."""
    code = (
        "import importlib, os, signal, sys\n"
        "from vendor_mgmt import __main__\n"
        "def slow(name):\n    os.kill(os.getpid(), signal.SIGINT)\n    raise AssertionError(name)\n"
        "importlib.import_module = slow\n"
        "sys.argv = ['vendor-mgmt', 'demo']\n__main__.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped before it was done.\n")
