"""Set-up: what it installs, when it does nothing, and what it says to somebody whose machine lacks something."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import re
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tools import lock, setup

PROJECT = setup.PROJECT
PYTHON_LOCKS = sorted(PROJECT.glob("requirements*.txt"))

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
# What each lock file was made for, beyond the smaller one it repeats.
DECLARED: dict[str, list[str]] = {
    "requirements.txt": PYPROJECT["project"]["dependencies"],
    "requirements-build.txt": [*PYPROJECT["dependency-groups"]["build"], *PYPROJECT["build-system"]["requires"]],
    "requirements-demo.txt": PYPROJECT["project"]["optional-dependencies"]["embedded"],
    "requirements-test.txt": PYPROJECT["dependency-groups"]["test"],
    "requirements-node.txt": PYPROJECT["dependency-groups"]["node"],
}
OUR_PACKAGES = {"contracts", "scorecards", "vendor_mgmt", "migrations", "tests", "tools"}

NOTHING = setup.Machine(libraries=frozenset(), programs=frozenset(), font_languages=frozenset(), modules=frozenset())
EVERYTHING = setup.Machine(
    libraries=frozenset(p.library for p in setup.SYSTEM_PACKAGES if p.library),
    programs=frozenset(name for p in setup.SYSTEM_PACKAGES for name in p.programs),
    font_languages=frozenset(language for p in setup.SYSTEM_PACKAGES for language in p.font_languages),
    modules=frozenset(p.module for p in setup.SYSTEM_PACKAGES if p.module),
)


def refuse_to_run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    pytest.fail(f"set-up ran {command}, with {environment}")


# What the machine lacks


def test_a_machine_that_can_do_everything_lacks_nothing() -> None:
    assert setup.packages_missing(EVERYTHING, tests=True) == []


def test_a_bare_machine_lacks_every_package_and_a_browser_only_for_tests() -> None:
    names = [package.name for package in setup.SYSTEM_PACKAGES]
    assert setup.packages_missing(NOTHING, tests=True) == names
    assert setup.packages_missing(NOTHING, tests=False) == [name for name in names if name not in ("libatomic1", "chromium")]


@pytest.mark.parametrize("package", setup.SYSTEM_PACKAGES, ids=lambda package: package.name)
def test_a_package_is_missed_exactly_when_what_it_brings_is_not_there(package: setup.SystemPackage) -> None:
    machine = replace(
        EVERYTHING,
        libraries=EVERYTHING.libraries - {package.library},
        programs=EVERYTHING.programs - set(package.programs),
        font_languages=EVERYTHING.font_languages - set(package.font_languages[:1]),
        modules=EVERYTHING.modules - {package.module},
    )
    assert setup.packages_missing(machine, tests=True) == [package.name]


def test_any_of_the_known_browsers_will_do() -> None:
    machine = replace(EVERYTHING, programs=EVERYTHING.programs - {"chromium", "chromium-browser"})
    assert setup.packages_missing(machine, tests=True) == []


def test_a_library_is_looked_for_as_the_loader_does() -> None:
    assert setup.library_loads("libc.so.6")
    assert not setup.library_loads("libno-such-thing.so.0")


def test_a_normal_user_is_told_in_one_sentence_what_to_install_and_nothing_else_happens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The look at the machine is the real one; an empty PATH hides fontconfig and the browser from it.
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(setup, "run", refuse_to_run)

    assert setup.main(["--tests"]) == 3

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    missing = "fontconfig fonts-noto-core fonts-noto-color-emoji fonts-wqy-microhei chromium"
    assert f"run `apt-get install {missing}` as root" in shown.err


def test_root_without_apt_is_told_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup, "run", refuse_to_run)
    assert setup.main([]) == 3
    assert "apt-get install fontconfig fonts-noto-core fonts-noto-color-emoji fonts-wqy-microhei" in capsys.readouterr().err


def test_root_gets_the_packages_installed_and_the_lists_are_fetched_only_when_the_first_try_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = tmp_path / "calls"
    program(
        tmp_path / "apt-get",
        f"""
        echo "$DEBIAN_FRONTEND: $*" >> {calls}
        case "$*" in *update) touch {tmp_path}/fetched ;; *install*) [ -e {tmp_path}/fetched ] ;; esac
        """,
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    looks = iter([NOTHING, EVERYTHING])
    monkeypatch.setattr(setup, "survey", lambda: next(looks))

    setup.provide_system_packages(tests=False)

    first, second, third = calls.read_text().splitlines()
    assert first == third
    assert first.startswith("noninteractive: ")
    assert first.endswith(" ".join(["--no-install-recommends", *setup.packages_missing(NOTHING, tests=False)]))
    assert second.endswith(" update")


def test_packages_that_did_not_help_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "apt-get", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    without_arabic = replace(EVERYTHING, font_languages=EVERYTHING.font_languages - {"ar"})
    monkeypatch.setattr(setup, "survey", lambda: without_arabic)
    with pytest.raises(setup.SetUpError, match="what fonts-noto-core should bring is not there") as refusal:
        setup.provide_system_packages(tests=False)
    assert refusal.value.code == 3


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [setup.listed(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_a_failed_step_shows_the_command_and_its_last_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*, tests: bool, front_end_only: bool) -> None:
        setup.run(["sh", "-c", "for i in $(seq 30); do echo line $i; done; echo no space left >&2; exit 7"])

    monkeypatch.setattr(setup, "set_up", fail)
    assert setup.main([]) == 1
    shown = capsys.readouterr().err
    assert "ended with 7" in shown
    assert "line 30" in shown
    assert "no space left" in shown
    assert "line 2\n" not in shown


def test_a_full_disk_is_a_sentence_and_not_a_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*, tests: bool, front_end_only: bool) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    monkeypatch.setattr(setup, "set_up", fail)
    assert setup.main([]) == 1
    assert "No space left on device: '/somewhere'" in capsys.readouterr().err


def test_an_older_python_can_read_the_file_far_enough_to_say_so() -> None:
    # Debian 11 has 3.9. A newer construct anywhere in the file would be a syntax error before the first line runs.
    ast.parse((PROJECT / "tools" / "setup.py").read_text(encoding="utf-8"), feature_version=(3, 8))


# Stamps


def test_a_stamp_holds_for_what_it_was_made_from_and_nothing_else(tmp_path: Path) -> None:
    locked = tmp_path / "requirements.txt"
    locked.write_text("one==1\n")
    stamps = setup.Stamps(tmp_path / "stamps.json")
    stamps.note("packages", setup.digest_of(locked))
    stamps.note("front end", "x")
    assert stamps.has("packages", setup.digest_of(locked))

    locked.write_text("one==2\n")
    assert not stamps.has("packages", setup.digest_of(locked))
    assert not stamps.has("packages for tests", "x")
    assert stamps.has("front end", "x")


def test_the_digest_tells_which_file_holds_what(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    before = setup.digest_of(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a").write_text("2")
    (tmp_path / "b").write_text("1")
    assert setup.digest_of(tmp_path / "a", tmp_path / "b") != before


@pytest.mark.parametrize("content", [b"", b'{"packages": ', b"[]", b"\xff\xfe"])
def test_a_damaged_stamp_file_only_costs_doing_a_step_again(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "stamps.json"
    path.write_bytes(content)
    stamps = setup.Stamps(path)
    assert not stamps.has("packages", "x")
    stamps.note("packages", "x")
    assert stamps.has("packages", "x")


def test_a_second_run_does_nothing_says_nothing_and_is_quick(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup, "run", refuse_to_run)
    begun_at = time.monotonic()
    assert setup.main(["--tests"]) == 0
    assert setup.main([]) == 0
    assert time.monotonic() - begun_at < 5
    assert capsys.readouterr() == ("", "")


def test_an_environment_that_was_moved_or_lost_its_python_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[list[str]] = []

    def remember(command: list[str], environment: Mapping[str, str] | None = None) -> None:
        made.append(command)

    monkeypatch.setattr(setup, "run", remember)
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        (folder / "bin").mkdir(parents=True)
        program(folder / "bin" / "python", "exit 0")

    def environments_made_at(folder: Path) -> int:
        monkeypatch.setattr(setup, "VENV", folder)
        before = len(made)
        setup.make_environment()
        return len(made) - before

    assert environments_made_at(here) == 1
    assert environments_made_at(here) == 0

    (there / "set-up.json").write_bytes((here / "set-up.json").read_bytes())
    assert environments_made_at(there) == 1

    program(here / "bin" / "python", "echo no module named pip >&2; exit 1")
    assert environments_made_at(here) == 1
    (here / "bin" / "python").unlink()
    (here / "bin" / "python").symlink_to("/nonexistent/python3")
    assert environments_made_at(here) == 1
    assert made[0] == [sys.executable, "-m", "venv", "--clear", str(here)]


# Front end


def test_the_front_end_files_are_where_pages_look_for_them() -> None:
    for target in setup.FRONT_END_FILES.values():
        assert (setup.STATIC / target).stat().st_size > (500 if target.endswith((".js", ".css")) else 50), target


def test_npm_gets_a_cache_it_may_write_to_where_there_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "npm_config_cache" not in setup.npm_environment()
    monkeypatch.setenv("HOME", str(tmp_path / "missing"))
    assert setup.npm_environment()["npm_config_cache"] == str(setup.VENV / "npm-cache")


@pytest.mark.parametrize(
    ("shown", "major"),
    [("echo v20.1.2", 20), ("echo 9.2.0", 9), ("echo broken", 0), ("echo v22.0.0; exit 1", 0), ("exit 0", 0)],
)
def test_the_version_of_a_tool_that_does_not_work_is_zero(tmp_path: Path, shown: str, major: int) -> None:
    assert setup.major_version([str(program(tmp_path / "tool", shown))]) == major
    assert setup.major_version([str(tmp_path / "missing")]) == 0


# Lock files


def test_every_lock_file_is_known_to_make_lock() -> None:
    assert [path.name for path in PYTHON_LOCKS] == sorted(name for name, _, _ in lock.PYTHON_LOCKS)


@pytest.mark.parametrize("path", [*PYTHON_LOCKS, PROJECT / "package-lock.json"], ids=lambda path: path.name)
def test_lock_files_name_no_host_and_no_place(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\S*://\S*|\S*file:\S*|^--\S*|.*\bresolved\b.*", text, re.MULTILINE) == []


@pytest.mark.parametrize("path", PYTHON_LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_a_hash(path: Path) -> None:
    for block in requirement_blocks(path):
        assert re.match(r"[a-z0-9-]+==\S+ ", block), block
        assert "--hash=sha256:" in block, block


def test_every_front_end_package_has_a_hash() -> None:
    packages = json.loads((PROJECT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert {name for name, package in packages.items() if not package.get("integrity", "").startswith("sha512-")} == {""}


@pytest.mark.parametrize("smaller", ["requirements.txt", "requirements-build.txt", "requirements-demo.txt"])
def test_a_larger_lock_repeats_the_smaller_ones(smaller: str) -> None:
    assert locked_versions("requirements-test.txt").items() >= locked_versions(smaller).items()
    if smaller != "requirements-demo.txt":
        assert locked_versions("requirements-demo.txt").items() >= locked_versions(smaller).items()


def test_what_pyproject_declares_is_locked_in_its_range() -> None:
    for name, requirements in DECLARED.items():
        locked = locked_versions(name)
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement} is not in {name}: run `make lock`"
            assert requirement.specifier.contains(version), f"{name} has {version}, not {requirement}: run `make lock`"


@pytest.mark.parametrize(
    ("folders", "locks"),
    [
        (["contracts", "scorecards", "vendor_mgmt", "migrations"], ["requirements.txt"]),
        (["tests", "tools"], ["requirements.txt", "requirements-test.txt"]),
    ],
    ids=["the product", "tests and tools"],
)
def test_what_is_imported_is_declared_and_not_only_brought_along_by_something_else(folders: list[str], locks: list[str]) -> None:
    distributions = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(requirement.name) for name in locks for requirement in map(Requirement, DECLARED[name])}
    undeclared = {
        f"{path.relative_to(PROJECT)}: {module}"
        for folder in folders
        for path in (PROJECT / folder).rglob("*.py")
        for module in modules_imported_by(path) - sys.stdlib_module_names - OUR_PACKAGES
        if declared.isdisjoint(map(canonicalize_name, distributions.get(module, [])))
    }
    assert undeclared == set()


def modules_imported_by(path: Path) -> set[str]:
    """Top-level names of what a file imports, anywhere in it."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module}
    names |= {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    return {name.partition(".")[0] for name in names}


def test_the_front_end_lock_belongs_to_package_json() -> None:
    declared = json.loads((PROJECT / "package.json").read_text(encoding="utf-8"))
    locked = json.loads((PROJECT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in (declared["dependencies"] | declared["devDependencies"]).items():
        assert locked[f"node_modules/{name}"]["version"] == version


# The commands people are told


def test_the_readmes_two_commands_exist() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    assert {"demo", "test"} <= make_targets_named_in(readme)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    assert make_targets_named_in((PROJECT / document).read_text(encoding="utf-8")) <= make_targets()


def test_every_target_can_be_expanded_and_is_listed_by_make_help() -> None:
    listing = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"make (\w+)", listing)) == make_targets()
    for target in make_targets():
        subprocess.run(["make", "--dry-run", target], cwd=PROJECT, capture_output=True, check=True)


def test_continuous_integration_runs_the_test_command_and_nothing_else() -> None:
    script = PROJECT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "exec make test </dev/null"]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def make_targets_named_in(document: str) -> set[str]:
    """Targets of commands: at the start of an indented or fenced line, or of a code span; not the verb in a sentence."""
    return set(re.findall(r"(?:`|^(?: {4,}|\$ )?)make ([a-z]+)", document, re.MULTILINE))


def requirement_blocks(path: Path) -> list[str]:
    """Each requirement of a lock file with its hashes, without comments."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines))


def locked_versions(name: str) -> dict[str, Version]:
    requirements = (Requirement(block.partition(" \\")[0]) for block in requirement_blocks(PROJECT / name))
    return {canonicalize_name(each.name): Version(str(each.specifier).removeprefix("==")) for each in requirements}


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
