"""Many scorecards to PDFs: warm worker processes that outlive a bad scorecard, a crash of the renderer, and their own use.

A worker is ``python -m scorecards.rendering``: it imports WeasyPrint once, reads jobs from its standard input and writes answers to
its standard output, one frame each.  Processes rather than threads, because a rendering holds the interpreter for a good part of a
second and would stall a service's event loop.

Why not `concurrent.futures.ProcessPoolExecutor`: with ``max_tasks_per_child`` it can stop serving for ever (CPython issue 115634, in
3.11 to 3.14), one worker that dies breaks the whole pool and every job in it, and a spawned child imports the parent's main module
again, which here is the whole service.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Self

import msgspec
from msgspec import Struct

from scorecards import page
from scorecards.page import Edition
from scorecards.scorecard import Scorecard, to_json
from scorecards.wording import Language

_LENGTH = struct.Struct(">Q")


class Job(Struct, frozen=True, kw_only=True):
    """One PDF to make: a scorecard in an edition, a language, on a paper, with the customer's accent colour (``#rrggbb``)."""

    card: Scorecard
    edition: Edition = "vendor"
    language: Language = "en"
    paper: str = "A4"
    accent: str | None = None

    @property
    def key(self) -> str:
        """Names the bytes this job makes: equal keys, equal PDFs."""
        key = page.render_key(self.card, self.edition, self.language, self.paper)
        return f"{key}-{self.accent[1:]}" if self.accent else key


class Rendered(Struct, frozen=True, kw_only=True):
    """The answer to a job: a PDF, or the sentence that says why there is none."""

    number: str
    key: str
    pdf: bytes | None
    error: str | None = None
    warnings: list[str] = []
    """What the renderer remarked, a character no font has for example."""
    seconds: float = 0.0
    was_kept: bool = False
    """True when the PDF existed already and was not made again."""


class RenderingFailed(Exception):  # noqa: N818  says what happened, as `DocumentRefused` does
    """A scorecard could not be rendered.  ``number`` says which; the message says why."""

    def __init__(self, number: str, reason: str) -> None:
        super().__init__(number, reason)
        self.number = number
        self.reason = reason

    def __str__(self) -> str:
        return f"scorecard {self.number} could not be rendered: {self.reason}"


class _Request(Struct, frozen=True):
    card: bytes
    edition: str
    language: str
    paper: str
    accent: str | None


class _Answer(Struct, frozen=True):
    pdf: bytes | None
    error: str | None
    warnings: list[str]


class Renderer:
    """A pool of warm worker processes.  A context manager; :meth:`close` takes at most two seconds, whatever is being rendered.

    ``workers``: processes, started with the first job.  ``documents_per_worker``: a worker is replaced after so many, so that memory
    stays flat whatever fonts and fragments Pango keeps.  ``seconds_max``: a document that takes longer is given up and its worker killed.
    """

    def __init__(self, workers: int = 2, *, documents_per_worker: int = 250, seconds_max: float = 120.0) -> None:
        if workers < 1 or documents_per_worker < 1:
            raise ValueError("workers and documents_per_worker start at 1")
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Rendered]] | None] = queue.SimpleQueue()
        # A worker that is just being killed may still be removing its own files in there.
        self._folder = tempfile.TemporaryDirectory(prefix="scorecards-", ignore_cleanup_errors=True)
        self._is_closing = threading.Event()
        self._lock = threading.Lock()
        self._workers = [_Worker(self, documents_per_worker, seconds_max) for _ in range(workers)]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, job: Job) -> Future[Rendered]:
        """A future of the answer.  It never fails for a bad scorecard: the error is in the answer.  In an event loop, wrap it with
        `asyncio.wrap_future`.  Raises ``RuntimeError`` once the renderer is closed.
        """
        future: Future[Rendered] = Future()
        with self._lock:
            if self._is_closing.is_set():
                raise RuntimeError("the renderer is closed")
            if not self._threads:
                self._threads = [threading.Thread(target=worker.run, name="scorecard-renderer", daemon=True) for worker in self._workers]
                for thread in self._threads:
                    thread.start()
            self._jobs.put((job, future))
        return future

    def pdf(self, job: Job) -> bytes:
        """The PDF of one job, waited for.  Raises :class:`RenderingFailed`."""
        answer = self.submit(job).result()
        if answer.pdf is None:
            raise RenderingFailed(answer.number, answer.error or "no reason was given")
        return answer.pdf

    def batch(
        self,
        jobs: Iterable[Job],
        *,
        is_kept: Callable[[Job], bool] = lambda _: False,
        on_progress: Callable[[int, Rendered], None] = lambda _done, _answer: None,
    ) -> Iterator[Rendered]:
        """The answers in the order of the jobs; a job that ``is_kept`` is answered without rendering, so that a batch may be resumed.

        Jobs are read ahead by a few per worker only: memory holds neither all scorecards nor all PDFs.  ``on_progress`` is told how
        many are done, and the newest answer.
        """
        ahead = 4 * len(self._workers)
        waiting: list[Future[Rendered]] = []
        done = 0
        for job in jobs:
            waiting.append(_kept(job) if is_kept(job) else self.submit(job))
            while len(waiting) > ahead:
                answer = waiting.pop(0).result()
                done += 1
                on_progress(done, answer)
                yield answer
        for future in waiting:
            answer = future.result()
            done += 1
            on_progress(done, answer)
            yield answer

    def processes(self) -> list[int]:
        """Process ids of the workers that run now, for a health page or a test."""
        return [process.pid for worker in self._workers if (process := worker.process) is not None and process.poll() is None]

    def close(self) -> None:
        """Stop now: jobs that wait or run are answered with an error, workers end, their folder goes."""
        with self._lock:
            if self._is_closing.is_set():
                return
            self._is_closing.set()
            for _ in self._threads:
                self._jobs.put(None)
        for worker in self._workers:
            worker.kill()
        for thread in self._threads:
            thread.join(timeout=1.5)
        with contextlib.suppress(queue.Empty):
            while True:
                left = self._jobs.get_nowait()
                if left is not None:
                    left[1].set_result(_failed(left[0], "the renderer was closed"))
        self._folder.cleanup()


class _Worker:
    """One process and the thread that feeds it."""

    def __init__(self, pool: Renderer, documents_max: int, seconds_max: float) -> None:
        self._pool = pool
        self._documents_max = documents_max
        self._seconds_max = seconds_max
        self._documents = 0
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        while (item := self._pool._jobs.get()) is not None:  # noqa: SLF001
            job, future = item
            if future.set_running_or_notify_cancel():
                future.set_result(self._rendered(job))
        self.kill()

    def kill(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _rendered(self, job: Job) -> Rendered:
        began = time.monotonic()
        try:
            request = msgspec.msgpack.encode(_Request(to_json(job.card), job.edition, job.language, job.paper, job.accent))
            answer = self._asked(request)
        except Exception as fault:  # noqa: BLE001  One bad scorecard, of whatever kind, stops nothing.
            self.kill()
            return _failed(job, "the renderer was closed" if self._pool._is_closing.is_set() else _reason(fault))  # noqa: SLF001
        seconds = time.monotonic() - began
        return Rendered(number=job.card.number, key=job.key, pdf=answer.pdf, error=answer.error, warnings=answer.warnings, seconds=seconds)

    def _asked(self, request: bytes) -> _Answer:
        if self.process is not None and (self._documents >= self._documents_max or self.process.poll() is not None):
            self.kill()
        if self.process is None:
            self.process = self._started()
            self._documents = 0
            if self._pool._is_closing.is_set():  # noqa: SLF001
                # It was closed while this process began, too late for being killed with the others.
                raise RuntimeError("the renderer was closed")
        process = self.process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker has no pipes")
        # The alarm kills the process, which ends the reading below; nothing else can end a read of a pipe.
        was_late = threading.Event()

        def give_up() -> None:
            was_late.set()
            process.kill()

        alarm = threading.Timer(self._seconds_max, give_up)
        alarm.daemon = True
        alarm.start()
        try:
            _write_frame(process.stdin, request)
            frame = _read_frame(process.stdout)
        except OSError:
            frame = None
        finally:
            alarm.cancel()
        if frame is None:
            if was_late.is_set():
                raise TimeoutError(f"it took more than {self._seconds_max:g} s")
            code = process.wait()
            raise ChildProcessError(f"the worker process ended ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})")
        self._documents += 1
        return msgspec.msgpack.decode(frame, type=_Answer)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._pool._is_closing.is_set():  # noqa: SLF001
            raise RuntimeError("the renderer was closed")
        # A worker finds what its parent finds, in a checkout and in an installation; what it leaves in its folder the parent removes.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TMPDIR": self._pool._folder.name}  # noqa: SLF001
        # Ctrl-C reaches the whole group in the foreground; the parent decides when a worker ends.
        return subprocess.Popen(
            [sys.executable, "-m", "scorecards.rendering"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )


def _kept(job: Job) -> Future[Rendered]:
    future: Future[Rendered] = Future()
    future.set_result(Rendered(number=job.card.number, key=job.key, pdf=None, was_kept=True))
    return future


def _failed(job: Job, reason: str) -> Rendered:
    try:
        key = job.key
    except Exception:  # noqa: BLE001  A scorecard that cannot be encoded has no key, and still gets its answer.
        key = ""
    return Rendered(number=str(job.card.number), key=key, pdf=None, error=reason)


def _reason(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__


def _write_frame(stream: IO[bytes], frame: bytes) -> None:
    stream.write(_LENGTH.pack(len(frame)))
    stream.write(frame)
    stream.flush()


def _read_frame(stream: IO[bytes]) -> bytes | None:
    """The next frame, or ``None`` when the other side has gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    frame = stream.read(length)
    return frame if len(frame) == length else None


def key_in_file(path: Path) -> str | None:
    """The key under which a PDF was rendered, read from its identifier; ``None`` where the file is missing, cut off, or not ours."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 1024, 0))
            end = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", file.read())
            if end is None:
                return None
            # The identifier stands where the table of objects begins, which is the longer the more pages there are.
            file.seek(int(end[1]))
            head = file.read(4096)
    except OSError:
        return None
    found = re.search(rb"/ID\s*\[\s*\(([0-9a-f]{64}(?:-[0-9a-f]{6})?)\)", head)
    return found[1].decode() if found else None


def write_file(path: Path, pdf: bytes) -> None:
    """Write a PDF so that nobody ever finds half of it under its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:40]}.", delete=False) as file:
        try:
            file.write(pdf)
            file.close()
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


# --- the worker process ---------------------------------------------------------------------------------------------------------


def work(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer jobs until the other side closes its end."""
    import gc  # noqa: PLC0415  Only a worker needs these, and importing WeasyPrint would cost its parent 0.6 s.

    from scorecards import pdf  # noqa: PLC0415

    remarks = _Remarks()
    pdf.warm_up()
    # A document is a large cyclic structure that dies as a whole: one collection after each is cheaper than dozens during it.
    gc.collect()
    gc.freeze()
    gc.disable()
    while (frame := _read_frame(jobs)) is not None:
        remarks.texts.clear()
        try:
            request = msgspec.msgpack.decode(frame, type=_Request)
            written = pdf.render_from_json(request.card, request.edition, request.language, request.paper, request.accent)
            answer = _Answer(written, None, list(dict.fromkeys(remarks.texts)))
        except Exception as fault:  # noqa: BLE001  One bad scorecard stops nothing.
            answer = _Answer(None, _reason(fault), list(dict.fromkeys(remarks.texts)))
        _write_frame(answers, msgspec.msgpack.encode(answer))
        gc.collect()


class _Remarks:
    """Collects what WeasyPrint and fontTools log, instead of writing it between a terminal's progress bars."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: self.texts.append(record.getMessage())  # type: ignore[method-assign]
        for name in ("weasyprint", "fontTools"):
            logger = logging.getLogger(name)
            logger.handlers = [handler]
            logger.propagate = False


def main() -> None:
    """The worker: frames on standard input and output.  A print by any library goes to standard error instead."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        work(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
