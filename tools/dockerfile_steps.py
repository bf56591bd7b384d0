"""Print the Dockerfile's steps as a shell script, for trying them where there is no container engine.

    python3 tools/dockerfile_steps.py | bash                       on a throw-away Debian 12, as root: it installs and writes below /opt
    python3 tools/dockerfile_steps.py -- vendor-mgmt --version | bash     and then runs this as the image would: its user, its settings

What an engine would do differently: every stage begins here on the same machine (its Python, not the image's), `COPY --from` finds
the files in place already, and `.dockerignore` is not applied. An instruction this program does not know is an error, not a step left out.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent

# These describe the container that would run; they do nothing while the image is made.
DESCRIBING = {"EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}


class Instruction(NamedTuple):
    """One instruction with its continuation lines joined."""

    word: str
    argument: str


def instructions(dockerfile: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile in order. Comments may stand anywhere, also between continuation lines."""
    lines = (line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    joined = ""
    for line in lines:
        joined += line.removesuffix("\\")
        if not line.endswith("\\"):
            word, _, argument = joined.strip().partition(" ")
            yield Instruction(word.upper(), " ".join(argument.split()))
            joined = ""


def script(dockerfile: str, context: Path, command: list[str]) -> str:
    """A script for bash that takes the steps, as root, and then runs `command` as the last stage's user."""
    lines = ["set -euo pipefail"]
    exports: list[str] = []
    user = ""
    for word, argument in instructions(dockerfile):
        match word:
            case "FROM":
                lines.append(f"echo {shlex.quote(f'== FROM {argument}')}")
                lines.append("cd /")
                exports, user = [], ""
            case "WORKDIR":
                lines.append(f"mkdir -p {argument} && cd {argument}")
            case "ENV":
                # Double quotes, because an image expands $PATH in ENV as the shell does.
                exports += [f'export {name}="{value}"' for name, _, value in (part.partition("=") for part in shlex.split(argument))]
            case "USER":
                user = argument
            case "COPY":
                lines += copying(shlex.split(argument), context)
            case "RUN":
                lines.append(f"echo {shlex.quote(f'== RUN {argument}')}")
                lines.append(in_environment(argument, exports, user))
            case _ if word not in DESCRIBING:
                raise ValueError(f"the Dockerfile has an instruction {word}, which tools/dockerfile_steps.py does not know; teach it")
    if command:
        lines.append(in_environment(shlex.join(command), exports, user))
    return "\n".join(lines) + "\n"


def copying(words: list[str], context: Path) -> list[str]:
    """COPY's own rules: a folder's contents go into the target, and a target with a slash at its end is a folder."""
    if words[0].startswith("--from="):
        return []
    *sources, target = words
    lines = []
    for source in sources:
        quoted = shlex.quote(str(context / source))
        if (context / source).is_dir():
            lines.append(f"mkdir -p {target} && cp -r {quoted}/. {target}")
        elif target.endswith("/"):
            lines.append(f"mkdir -p {target} && cp {quoted} {target}")
        else:
            lines.append(f'mkdir -p "$(dirname {target})" && cp {quoted} {target}')
    return lines


def in_environment(command: str, exports: list[str], user: str) -> str:
    """`command` in a shell of its own, with the variables of its stage, as the stage's user."""
    inner = " ; ".join([*exports, command])
    shell = f"bash -euo pipefail -c {shlex.quote(inner)} </dev/null"
    # An engine takes HOME from the image's own list of users.
    home = f'HOME="$(getent passwd {user} | cut -d: -f6)"'
    return f"{home} setpriv --reuid={user} --regid={user} --clear-groups {shell}" if user else shell


if __name__ == "__main__":
    wanted = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    sys.stdout.write(script((PROJECT / "Dockerfile").read_text(encoding="utf-8"), PROJECT, wanted))
