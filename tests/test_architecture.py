"""Who may import whom, read from the source without running it.

`contracts ← scorecards ← vendor_mgmt`, and inside `vendor_mgmt` `access ← delivery ← escalations ← governance ← pages ← api`. Within each
package, rules know no I/O and no clock; the modules that do are listed in `EDGES`, each with its reason. ARCHITECTURE.md says what the
arrows are for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]

PACKAGES = {"contracts": set[str](), "scorecards": {"contracts"}, "vendor_mgmt": {"contracts", "scorecards"}}
"""Each package of ours, and the others that it may import."""

EDGES = {
    # contracts
    "contracts.agreements": "runs the statements of `contracts.queries` and turns what is stored into documents",
    "contracts.exclusion": "a kind of constraint that Piccolo lacks, for the tables",
    "contracts.including": "takes KPIs from the library",
    "contracts.library": "reads the library's own documents",
    "contracts.piccolo_app": "says where tables and migrations lie",
    "contracts.public_holidays": "asks the installed library for its list and its release, to freeze them into a document",
    "contracts.queries": "SQL",
    "contracts.tables": "tables",
    # scorecards
    "scorecards.measurement_queries": "SQL and COPY",
    "scorecards.exporting": "writes workbooks, in memory",
    "scorecards.pdf": "Jinja and WeasyPrint",
    "scorecards.piccolo_app": "says where tables and migrations lie",
    "scorecards.queries": "SQL",
    "scorecards.revising": "SQL",
    "scorecards.rendering": "processes and pipes",
    "scorecards.tables": "tables",
    # vendor_mgmt: what everything stands on
    "vendor_mgmt": "points Piccolo at its configuration, which it reads from the environment",
    "vendor_mgmt.__main__": "the command line",
    "vendor_mgmt.database": "pool and transactions",
    "vendor_mgmt.database_roles": "SQL about roles",
    "vendor_mgmt.doctor": "looks at this machine",
    "vendor_mgmt.embedded_postgres": "a server process and its files",
    "vendor_mgmt.engine": "Piccolo's connection",
    "vendor_mgmt.logs": "writes the log",
    "vendor_mgmt.migrating": "changes the schema",
    "vendor_mgmt.outbound": "HTTP to the outside",
    "vendor_mgmt.piccolo_app": "says where tables and migrations lie",
    "vendor_mgmt.piccolo_conf": "says where the engine and the apps are",
    "vendor_mgmt.settings": "reads the environment, once",
    # vendor_mgmt: where the parts are put together
    "vendor_mgmt.app": "the web application and what runs beside it",
    "vendor_mgmt.boundary": "sees every request, times and logs it",
    "vendor_mgmt.agreeing": "agrees contracts in a database, for commands and pages",
    "vendor_mgmt.closing": "the job that closes, and its schedule",
    "vendor_mgmt.following": "the embedded server, which changes hands",
    "vendor_mgmt.feed_watch": "looks at stored data and the clock, and opens tasks",
    "vendor_mgmt.health": "asks the database whether it answers",
    "vendor_mgmt.period_close": "the main path: loads, has it judged, saves",
    "vendor_mgmt.running_month": "loads the running period and has it judged",
    "vendor_mgmt.problems": "answers to requests that went wrong",
    "vendor_mgmt.relief_claims": "SQL, and the contract's calendar",
    "vendor_mgmt.service": "what a running process shares",
    "vendor_mgmt.serving": "the event loop, signals and the socket",
    "vendor_mgmt.signing_in": "cookies and headers",
    "vendor_mgmt.work": "says which functions carry which work out",
    # vendor_mgmt: the parts
    "vendor_mgmt.access.actors": "SQL",
    "vendor_mgmt.access.tables": "tables",
    "vendor_mgmt.access.tokens": "SQL, and random tokens",
    "vendor_mgmt.credential_values": "reads the environment and files",
    "vendor_mgmt.delivery.asking": "HTTP",
    "vendor_mgmt.delivery.jira": "HTTP, and SQL for what is known of issues",
    "vendor_mgmt.delivery.mail": "SMTP",
    "vendor_mgmt.delivery.parcel": "holds an HTTP client",
    "vendor_mgmt.delivery.queries": "SQL",
    "vendor_mgmt.delivery.sending": "claims, sends and settles",
    "vendor_mgmt.delivery.slack": "HTTP",
    "vendor_mgmt.delivery.webhook": "HTTP",
    "vendor_mgmt.delivery.tables": "tables",
    "vendor_mgmt.escalations.queries": "SQL",
    "vendor_mgmt.escalations.tables": "tables",
    "vendor_mgmt.escalations.watching": "reads stored results, and has tickets stored",
    "vendor_mgmt.intake.checks": "SQL: compares what came with what was stored before",
    "vendor_mgmt.intake.credentials": "SQL, and a key",
    "vendor_mgmt.intake.feeding": "SQL",
    "vendor_mgmt.intake.handing_in": "stores what comes in, and reads files",
    "vendor_mgmt.intake.preview": "reads sources",
    "vendor_mgmt.intake.pull": "one pull, from the source to the database",
    "vendor_mgmt.intake.queries": "SQL",
    "vendor_mgmt.intake.readers.csv_file": "reads files",
    "vendor_mgmt.intake.readers.files": "reads folders and addresses",
    "vendor_mgmt.intake.readers.http_json": "HTTP",
    "vendor_mgmt.intake.readers.json_lines": "reads files",
    "vendor_mgmt.intake.readers.mailbox": "IMAP",
    "vendor_mgmt.intake.readers.page": "reads what a file is, and secrets that sources name",
    "vendor_mgmt.intake.readers.postgresql": "SQL on somebody else's database",
    "vendor_mgmt.intake.readers.sftp": "SFTP",
    "vendor_mgmt.intake.readers.workbook": "reads files",
    "vendor_mgmt.intake.tables": "tables",
    "vendor_mgmt.jobs.dispatcher": "SQL",
    "vendor_mgmt.jobs.runs": "SQL, leases and heartbeats",
    "vendor_mgmt.jobs.tables": "tables",
    "vendor_mgmt.jobs.worker": "APScheduler and Procrastinate",
    # whole folders
    "vendor_mgmt.api.*": "handlers: requests in, answers out",
    "vendor_mgmt.commands.*": "what a person types and reads: arguments, files, the terminal, the moment",
    "vendor_mgmt.example.*": "plays a portfolio: servers, files and the day it is played on",
    "vendor_mgmt.pages.*": "handlers, their statements and templates",
}
"""Modules that may touch the world, with what they touch. Everything else is pure. `.*` is a whole folder."""

IO_LIBRARIES = frozenset(
    [
        "apscheduler", "asyncio", "asyncpg", "click", "concurrent", "fcntl", "http", "httpcore", "httpx", "importlib", "jinja2",
        "litestar", "logging", "multiprocessing", "openpyxl", "os", "pathlib", "piccolo", "procrastinate", "psycopg", "random",
        "rich", "secrets", "shutil", "signal", "socket", "ssl", "stamina", "subprocess", "sys", "tempfile", "threading", "time",
        "urllib", "uvicorn", "uvloop", "weasyprint",
    ]
)
"""What a rule has no use for. Some bring in no file but a clock, chance or the state of a process; a result may not depend on those
either."""

WORLDLY_CALLS = {
    "now": "reads the clock",
    "today": "reads the clock",
    "utcnow": "reads the clock",
    "open": "opens a file",
    "print": "writes to the terminal",
    "input": "asks a person",
    "uuid1": "is random",
    "uuid4": "is random",
}

FOUNDATIONS = frozenset(
    [
        "__init__", "credential_values", "credentials",
        "database", "database_roles", "embedded_postgres", "engine", "errors", "logs", "migrating", "outbound",
        "piccolo_app", "piccolo_conf", "service", "settings",
    ]
)
"""Modules of `vendor_mgmt` that know none of its folders, so that every folder may stand on them."""

LEFT_TO_RIGHT = (("access",), ("delivery",), ("escalations",), ("governance",), ("pages",), ("api",))
BESIDE = ("intake", "jobs")
"""Know none of the folders in the row; `intake` may ask `jobs` for work, and not the other way round."""

REASON = re.compile(r"#\s*noqa: PLC0415\W+(\w.{14,})")


@dataclass(frozen=True)
class Import:
    """One name that a module takes from elsewhere."""

    target: str
    line: int
    is_typing: bool = False
    """Only read by type checkers."""
    is_hidden: bool = False
    """Inside a function."""


@dataclass
class Module:
    """A module as far as arrows are concerned."""

    name: str
    source: str
    imports: list[Import] = field(default_factory=list)
    calls: list[tuple[str, int]] = field(default_factory=list)
    unexplained: list[int] = field(default_factory=list)
    """Lines of imports inside functions without a reason."""

    def ours(self, *, typing: bool = True) -> list[Import]:
        return [one for one in self.imports if one.target.split(".")[0] in PACKAGES and (typing or not one.is_typing)]


def read_module(name: str, source: str, known: frozenset[str]) -> Module:
    """What a module imports and calls; `known` are all modules of ours, to tell a module from a name inside one."""
    module = Module(name, source)
    lines = source.splitlines()

    def visit(node: ast.AST, *, is_typing: bool, is_hidden: bool) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in _targets(node, name, known):
                module.imports.append(Import(target, node.lineno, is_typing, is_hidden))
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            # `.open()` and `.print()` of some object of ours say nothing about files and terminals.
            if isinstance(node.func, ast.Name) or called not in ("open", "print", "input"):
                module.calls.append((called, node.lineno))
        is_hidden = is_hidden or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for body in (value for _, value in ast.iter_fields(node)):
            children = body if isinstance(body, list) else [body]
            explained = False
            for child in children:
                if not isinstance(child, ast.AST):
                    continue
                typing = is_typing or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) and body is node.body)
                if isinstance(child, ast.Import | ast.ImportFrom):
                    # A reason beside the first of several imports in a row speaks for all of them.
                    explained = explained or bool(REASON.search(lines[child.lineno - 1]))
                    if is_hidden and not explained:
                        module.unexplained.append(child.lineno)
                else:
                    explained = False
                visit(child, is_typing=typing, is_hidden=is_hidden)

    visit(ast.parse(source), is_typing=False, is_hidden=False)
    return module


def _targets(node: ast.Import | ast.ImportFrom, importer: str, known: frozenset[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    assert node.level == 0, f"{importer}, line {node.lineno}: say the whole name instead of a relative one"
    base = node.module or ""
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in known else base for alias in node.names]


def _modules() -> dict[str, Module]:
    files = {_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
    return {name: read_module(name, path.read_text("utf-8"), frozenset(files)) for name, path in files.items()}


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = _modules()


def edge(name: str) -> str | None:
    """The entry that allows a module to touch the world, if one does."""
    folders = [f"{name.rsplit('.', depth)[0]}.*" for depth in range(1, name.count(".") + 1)]
    return next((entry for entry in (name, f"{name}.*", *folders) if entry in EDGES), None)


# --------------------------------------------------------------------------- the rules, as functions of modules


def wrong_arrows(module: Module) -> Iterator[str]:
    """Imports from one package of ours into another that it may not know."""
    package = module.name.split(".")[0]
    for one in module.ours():
        other = one.target.split(".")[0]
        if other != package and other not in PACKAGES[package]:
            yield f"{module.name}, line {one.line}: {package} may not import {one.target}"


def impurities(module: Module) -> Iterator[str]:
    """Where a module touches the world, or leans on one that does. Types alone do no harm, except of a database driver."""
    for one in module.imports:
        root = one.target.split(".")[0]
        if root in IO_LIBRARIES:
            yield f"{module.name}, line {one.line}: imports {one.target}"
        if root in PACKAGES and not one.is_typing and one.target in MODULES and edge(one.target) and one.target != "vendor_mgmt":
            yield f"{module.name}, line {one.line}: imports {one.target}, which is an edge"
    for called, line in module.calls:
        if called in WORLDLY_CALLS:
            yield f"{module.name}, line {line}: {called}() {WORLDLY_CALLS[called]}"


def wrong_inner_arrows(module: Module) -> Iterator[str]:
    """Imports inside `vendor_mgmt` that point to the right."""
    here = _folder(module.name)
    for one in module.ours():
        if not one.target.startswith("vendor_mgmt."):
            continue
        there = _folder(one.target)
        if there != here and not _may_know(here, there, one.target):
            yield f"{module.name}, line {one.line}: {here or 'a foundation'} may not import {one.target}"


def _folder(name: str) -> str:
    """The folder of a module of `vendor_mgmt`: empty for a foundation, `together` for other modules beside the folders."""
    parts = name.split(".")
    if len(parts) > 2 or (ROOT / "vendor_mgmt" / parts[-1]).is_dir():
        return parts[1]
    return "" if parts[-1] in FOUNDATIONS or name == "vendor_mgmt" else "together"


def _may_know(here: str, there: str, target: str) -> bool:
    order = {name: place for place, names in enumerate(LEFT_TO_RIGHT) for name in names}
    if there == "":
        return True
    if here == "":
        return False
    if target.startswith("vendor_mgmt.commands") or there == "example":
        return here == "commands" or (here == "together" and target == "vendor_mgmt.commands")
    if here in ("together", "commands", "example"):
        return True
    if here in BESIDE:
        return (here, there) == ("intake", "jobs")
    if there in BESIDE or there == "together":
        return here in ("pages", "api")
    return order[there] < order[here]


# --------------------------------------------------------------------------- the claims


def test_all_modules_are_read() -> None:
    assert len(MODULES) > 100
    assert {"contracts.document", "scorecards.evaluating", "vendor_mgmt.period_close"} <= MODULES.keys()


def test_packages_import_only_to_the_left() -> None:
    assert [fault for module in MODULES.values() for fault in wrong_arrows(module)] == []


def test_rules_import_no_io_library_no_edge_and_read_no_clock() -> None:
    """A module that must touch the world is named in `EDGES` with what it touches."""
    assert [fault for name, module in MODULES.items() if edge(name) is None for fault in impurities(module)] == []


def test_every_edge_is_one() -> None:
    """A list that names what has become pure, or is gone, would hide the next module of that name."""
    needed = {edge(name) for name, module in MODULES.items() if any(True for _ in impurities(module))}
    assert EDGES.keys() - needed == set()


def test_inside_vendor_mgmt_arrows_point_to_the_left() -> None:
    inner = [module for name, module in MODULES.items() if name.startswith("vendor_mgmt")]
    assert [fault for module in inner for fault in wrong_inner_arrows(module)] == []


def test_no_import_is_hidden_in_a_function_without_a_reason() -> None:
    assert [f"{name}, line {line}" for name, module in MODULES.items() for line in module.unexplained] == []


def test_no_module_needs_itself() -> None:
    """Imports hidden in functions count: they would be how a circle is kept from showing."""
    reach = {name: {one.target for one in module.ours(typing=False)} & MODULES.keys() - {name} for name, module in MODULES.items()}
    done: set[str] = set()

    def circle(name: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in path:
            return (*path[path.index(name) :], name)
        if name in done:
            return None
        found = next((hit for other in sorted(reach[name]) if (hit := circle(other, (*path, name)))), None)
        done.add(name)
        return found

    assert [" → ".join(found) for name in sorted(reach) if (found := circle(name, ()))] == []


def test_every_query_of_a_page_takes_a_scope() -> None:
    """So that nobody can forget one. What is asked for by row numbers gets them from a query that took one."""
    by_number = {"cells": "revisions", "documents": "lineages", "names": "actors"}
    body = ast.parse((ROOT / "vendor_mgmt/pages/queries.py").read_text("utf-8")).body
    functions = [node for node in body if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_")]
    assert functions
    for function in functions:
        given = {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}
        assert given & {"scope", by_number.get(function.name, "scope")}, f"{function.name} asks for somebody, and takes no Scope"


# --------------------------------------------------------------------------- the rules find what they are for


def _module(name: str, source: str) -> Module:
    return read_module(name, source, frozenset(MODULES))


def test_an_arrow_to_the_right_is_found_wherever_it_stands() -> None:
    for source in (
        "import scorecards.scoring\n",
        "from scorecards import scoring\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scorecards.scoring import judge\n",
        "def f():\n    from scorecards.scoring import judge\n",
    ):
        assert list(wrong_arrows(_module("contracts.curve", source))), source
    assert not list(wrong_arrows(_module("scorecards.scoring", "from contracts import curve\n")))


def test_a_clock_a_file_and_an_edge_are_found_in_a_rule() -> None:
    for source in (
        "import asyncpg\n",
        "from pathlib import Path\n",
        "import time\n",
        "from datetime import datetime, UTC\nnow = datetime.now(UTC)\n",
        "from datetime import date\ndef f(day=None):\n    return day or date.today()\n",
        "text = open('x').read()\n",
        "from contracts import queries\n",
    ):
        assert list(impurities(_module("contracts.curve", source))), source
    assert not list(impurities(_module("contracts.curve", "from datetime import date\nfrom contracts import period\n")))


def test_an_arrow_to_the_right_inside_the_service_is_found() -> None:
    for name, source in (
        ("vendor_mgmt.delivery.queries", "from vendor_mgmt.escalations import queries\n"),
        ("vendor_mgmt.escalations.queries", "from vendor_mgmt.intake import queries\n"),
        ("vendor_mgmt.intake.pull", "from vendor_mgmt import closing\n"),
        ("vendor_mgmt.jobs.runs", "from vendor_mgmt.intake import pull\n"),
        ("vendor_mgmt.database", "from vendor_mgmt.access import tokens\n"),
        ("vendor_mgmt.closing", "from vendor_mgmt.commands import demo\n"),
        ("vendor_mgmt.app", "from vendor_mgmt.example import playing\n"),
    ):
        assert list(wrong_inner_arrows(_module(name, source))), (name, source)
    assert not list(wrong_inner_arrows(_module("vendor_mgmt.escalations.queries", "from vendor_mgmt.delivery import queries\n")))


def test_a_hidden_import_needs_more_than_a_bare_mark() -> None:
    assert _module("contracts.curve", "def f():\n    import yaml  # noqa: PLC0415\n").unexplained == [2]
    assert _module("contracts.curve", "def f():\n    import yaml  # noqa: PLC0415 - only templates are written in it\n").unexplained == []
