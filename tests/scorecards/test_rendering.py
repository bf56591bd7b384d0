from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import IO

import pytest
from msgspec import structs

from scorecards import pdf, rendering
from scorecards.rendering import Job, Rendered, Renderer, RenderingFailed, key_in_file, write_file
from scorecards.scorecard import Scorecard
from tests.scorecards import scorecard_builders as builders


def job(number: str = "N-1", card: Scorecard | None = None) -> Job:
    return Job(card=structs.replace(card or builders.no_kpis(), number=number))


def unrenderable(number: str) -> Job:
    """Its time zone does not exist, which no page can be made of."""
    return job(number, builders.no_kpis(time_zone="Atlantis/Capital"))


def test_a_worker_writes_the_same_bytes_as_the_function() -> None:
    card = builders.tiny_site()
    with Renderer(1) as renderer:
        written = renderer.pdf(Job(card=card, edition="client", paper="Letter"))
    assert written == pdf.render_pdf(card, edition="client", paper="Letter")


def test_one_bad_scorecard_stops_nothing_and_says_why() -> None:
    jobs = [job("A"), unrenderable("B"), job("C")]
    with Renderer(2) as renderer:
        answers = list(renderer.batch(jobs))
    assert [answer.number for answer in answers] == ["A", "B", "C"]
    assert [answer.pdf is not None for answer in answers] == [True, False, True]
    assert "Atlantis/Capital" in (answers[1].error or "")


def test_a_single_bad_scorecard_is_an_error_with_its_number() -> None:
    with Renderer(1) as renderer, pytest.raises(RenderingFailed, match=r"scorecard B could not be rendered: .*Atlantis"):
        renderer.pdf(unrenderable("B"))


def test_an_unknown_edition_or_paper_is_refused_by_name() -> None:
    with Renderer(1) as renderer:
        answer = renderer.submit(structs.replace(job(), paper="A0")).result(60)
    assert answer.pdf is None
    assert "A0" in (answer.error or "")


def test_a_worker_that_is_killed_is_replaced_and_costs_one_answer_at_most() -> None:
    with Renderer(1) as renderer:
        assert renderer.pdf(job("A"))
        [pid] = renderer.processes()
        os.kill(pid, signal.SIGKILL)
        answers = [renderer.submit(job(name)).result(60) for name in ("B", "C")]
        assert answers[1].pdf is not None
        assert pid not in renderer.processes()


def test_a_worker_that_dies_at_its_work_is_told_and_the_next_job_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    was_handed_over = threading.Event()
    write = rendering._write_frame

    def writing(stream: IO[bytes], frame: bytes) -> None:
        write(stream, frame)
        was_handed_over.set()

    with Renderer(1) as renderer:
        renderer.pdf(job("A"))
        [pid] = renderer.processes()
        os.kill(pid, signal.SIGSTOP)  # It can neither finish nor answer, so the job is surely in its hands when it dies.
        monkeypatch.setattr(rendering, "_write_frame", writing)
        stuck = renderer.submit(job("B"))
        after = renderer.submit(job("C"))
        assert was_handed_over.wait(60)
        os.kill(pid, signal.SIGKILL)
        assert stuck.result(60).error == "ChildProcessError: the worker process ended (SIGKILL)"
        assert after.result(60).pdf is not None


def test_a_document_that_takes_too_long_is_given_up() -> None:
    with Renderer(1, seconds_max=0.001) as renderer:
        answer = renderer.submit(job()).result(60)
    assert answer.error == "TimeoutError: it took more than 0.001 s"


def test_a_worker_is_replaced_after_its_number_of_documents() -> None:
    seen = set()
    with Renderer(1, documents_per_worker=2) as renderer:
        for index in range(4):
            assert renderer.pdf(job(str(index)))
            seen |= set(renderer.processes())
    assert len(seen) == 2


def test_closing_waits_for_no_document_and_answers_what_was_left() -> None:
    renderer = Renderer(2)
    renderer.pdf(job("warm"))
    left = [renderer.submit(job(str(index), builders.many_kpis())) for index in range(6)]
    pids = renderer.processes()
    renderer.close()
    # How long it took is for the benchmarks: what is held here is that not all six documents were waited for.
    answers = [future.result(30) for future in left]
    assert all(answer.error == "the renderer was closed" for answer in answers if answer.pdf is None)
    assert any(answer.pdf is None for answer in answers)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(RuntimeError, match="closed"):
        renderer.submit(job())
    renderer.close()


def test_workers_leave_no_files_behind() -> None:
    with Renderer(1) as renderer:
        folder = Path(renderer._folder.name)
        renderer.pdf(job())
        assert folder.exists()
    assert not folder.exists()


def test_progress_counts_each_answer_in_order() -> None:
    told: list[tuple[int, str]] = []
    with Renderer(2) as renderer:
        list(renderer.batch([job(str(n)) for n in range(5)], on_progress=lambda done, answer: told.append((done, answer.number))))
    assert told == [(n + 1, str(n)) for n in range(5)]


def test_a_batch_started_again_renders_only_what_is_missing(tmp_path: Path) -> None:
    jobs = [job(str(n)) for n in range(4)]

    def path(of: Job) -> Path:
        return tmp_path / f"{of.card.number}.pdf"

    def run(renderer: Renderer) -> list[Rendered]:
        answers = []
        for each, answer in zip(jobs, renderer.batch(jobs, is_kept=lambda one: key_in_file(path(one)) == one.key), strict=True):
            if answer.pdf is not None:
                write_file(path(each), answer.pdf)
            answers.append(answer)
        return answers

    with Renderer(1) as renderer:
        assert [answer.was_kept for answer in run(renderer)] == [False] * 4
        path(jobs[1]).write_bytes(path(jobs[1]).read_bytes()[:-600])  # cut off by a full disk, say
        path(jobs[2]).unlink()
        jobs[3] = structs.replace(jobs[3], card=structs.replace(jobs[3].card, score=Decimal(5)))
        assert [answer.was_kept for answer in run(renderer)] == [True, False, False, False]


def test_a_key_changes_with_whatever_changes_the_page() -> None:
    one = job()
    others = [
        structs.replace(one, edition="client"),
        structs.replace(one, paper="Letter"),
        structs.replace(one, language="es"),
        structs.replace(one, accent="#6a1b4d"),
        job("N-2"),
    ]
    assert len({other.key for other in [one, *others]}) == 6
    assert job().key == one.key


def test_the_key_is_found_in_a_branded_file_too(tmp_path: Path) -> None:
    branded = structs.replace(job(), accent="#6a1b4d")
    with Renderer(1) as renderer:
        write_file(tmp_path / "x.pdf", renderer.pdf(branded))
    assert key_in_file(tmp_path / "x.pdf") == branded.key
    assert key_in_file(tmp_path / "missing.pdf") is None


def test_a_file_is_never_there_by_halves(tmp_path: Path) -> None:
    write_file(tmp_path / "a" / "x.pdf", b"1")
    write_file(tmp_path / "a" / "x.pdf", b"22")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x.pdf"]
    assert (tmp_path / "a" / "x.pdf").read_bytes() == b"22"


async def test_an_event_loop_waits_for_a_pdf_without_being_held_up() -> None:
    with Renderer(1) as renderer:
        answer = await asyncio.wait_for(asyncio.wrap_future(renderer.submit(job())), 60)
    assert answer.pdf is not None


def test_the_parent_never_loads_the_pdf_engine() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, scorecards.rendering, vendor_mgmt.commands.scorecard; print('weasyprint' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout.strip() == "False"


def test_memory_of_a_worker_stays_flat() -> None:
    jobs = [job(str(n), builders.tiny_site()) for n in range(36)]
    sizes = []
    with Renderer(1) as renderer:
        for index, answer in enumerate(renderer.batch(jobs)):
            assert answer.pdf is not None
            if index in {11, 35}:
                sizes.append(resident_mb(renderer.processes()[0]))
    assert sizes[1] - sizes[0] < 6


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_ctrl_c_in_the_terminal_does_not_kill_a_worker_at_its_work() -> None:
    with Renderer(1) as renderer:
        renderer.pdf(job("A"))
        [pid] = renderer.processes()
        os.kill(pid, signal.SIGINT)
        assert renderer.pdf(job("B"))
        assert renderer.processes() == [pid]


def test_a_pool_without_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="start at 1"):
        rendering.Renderer(0)
