"""Write what `vendor-mgmt score` prints into the pages of docs/cookbook, wherever a block begins with that command.

.venv/bin/python tools/show_cookbook.py            writes; says which pages changed
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from click.testing import CliRunner

BOOK = Path(__file__).resolve().parents[1] / "docs" / "cookbook"
_BLOCK = re.compile(r"```\n\$ vendor-mgmt (?P<words>score [^\n]*)\n(?P<shown>.*?)```\n", re.DOTALL)


def shown(page: Path, words: str) -> str:
    """What the command prints, with the files of the page's folder; no spaces at the ends of lines."""
    from vendor_mgmt.__main__ import cli  # noqa: PLC0415 - a tool that only asks for help needs no product

    files = [str(page.parent / word) if re.search(r"\.(yaml|csv)$", word) else word for word in shlex.split(words)]
    done = CliRunner(env={"COLUMNS": "100"}).invoke(cli, files)
    if done.exit_code != 0:
        message = f"{page}: {words}: exit code {done.exit_code}\n{done.output}"
        raise RuntimeError(message)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def as_it_is_now(page: Path) -> str:
    """The page with every block as the command prints it today."""
    text = page.read_text(encoding="utf-8")
    return _BLOCK.sub(lambda block: f"```\n$ vendor-mgmt {block['words']}\n{shown(page, block['words'])}```\n", text)


def pages() -> list[Path]:
    return sorted(BOOK.glob("*/README.md"))


def main() -> None:
    for page in pages():
        now = as_it_is_now(page)
        if now != page.read_text(encoding="utf-8"):
            page.write_text(now, encoding="utf-8")
            sys.stdout.write(f"wrote {page}\n")


if __name__ == "__main__":
    main()
