"""Write the lock files anew from pyproject.toml and package.json (`make lock`; `make lock ARGS=--upgrade` takes the newest versions).

Only who changes dependencies needs this. The files name exact versions and hashes but no host: where packages come from is decided on
each machine. That is why there is no uv.lock, which writes addresses down, and why npm's `resolved` fields are taken out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
UV = "uv>=0.9,<1"

# Each file, what goes in, and the file whose versions it must repeat.
PYTHON_LOCKS = (
    ("requirements.txt", ["pyproject.toml"], None),
    ("requirements-build.txt", ["--group", "build"], "requirements.txt"),
    ("requirements-demo.txt", ["pyproject.toml", "--extra", "embedded", "--group", "build"], "requirements.txt"),
    ("requirements-test.txt", ["pyproject.toml", "--extra", "embedded", "--group", "build", "--group", "test"], "requirements-demo.txt"),
    ("requirements-node.txt", ["--group", "node"], None),
)


def lock_python(*, upgrade: bool) -> None:
    """One run of `uv pip compile` per file, for every supported Python and platform at once."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", UV], check=True)
        for output, inputs, same_as in PYTHON_LOCKS:
            command = [f"{folder}/bin/uv", "pip", "compile", *inputs, "--output-file", output]
            command += ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
            command += ["--custom-compile-command", "make lock", "--quiet"]
            command += ["--constraint", same_as] if same_as else []
            command += ["--upgrade"] if upgrade else []
            subprocess.run(command, check=True, cwd=PROJECT)
            sys.stdout.write(f"{output}\n")


def lock_front_end() -> None:
    """npm's own lock, without addresses. `npm ci` then asks the machine's registry and checks the hash."""
    path = PROJECT / "package-lock.json"
    command = ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund", "--omit-lockfile-registry-resolved"]
    subprocess.run(command, check=True, cwd=PROJECT)
    lock = json.loads(path.read_text(encoding="utf-8"))
    for package in lock["packages"].values():
        for field in ("resolved", "funding"):
            package.pop(field, None)
    path.write_text(json.dumps(lock, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    lock_python(upgrade="--upgrade" in sys.argv[1:])
    lock_front_end()
