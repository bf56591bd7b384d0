"""What can be wrong with a promise, and what the reader of the message can do about it.

Two forms, chosen by who has to act:

* A `Finding` is a fault *in a document*. Findings are returned in a list, all at once, each with its line, its path, the
  offending value and the repair. Nothing is raised while there is still something left to look at.
* An exception says that the *request* cannot be carried out. There is one class for each thing a caller can do about it:

    ContractError                 show the sentence to a person; every class below is one of these
    ├── DocumentRefused           correct the document (its `findings` say where) and hand it in again
    ├── NotFound                  name a contract, version, calendar or KPI that exists
    ├── NotInForce                ask for another day, or agree a version that covers this one
    ├── Overlap                   choose other days: two versions would be in force at once
    ├── NotConfirmed              let the side that is missing confirm
    ├── AlreadyAgreed             amend: what was agreed is never changed
    └── CannotCompute             deliver the missing figure or correct the rule: as they stand, they give no answer

`RefusedValue` stands beside the tree: a document type raises it from its `__post_init__`, and reading turns it into a finding.
"""

# ruff: noqa: N818 - the names say what happened; the tree above says that they are errors

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Severity = Literal["error", "warning", "note"]

_PLAIN_WORD = re.compile(r"[\w-]+")


def below(path: str, *steps: str | int) -> str:
    """The path of something further down: `below("$.kpis", "tat", "levels", 0)` is `$.kpis.tat.levels[0]`."""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif _PLAIN_WORD.fullmatch(step):
            path += f".{step}"
        else:
            path += f"[{json.dumps(step, ensure_ascii=False)}]"
    return path


class Where(msgspec.Struct, frozen=True):
    """A place in a document. Lines and columns count from 1; 0 means that the place is not known."""

    path: str = "$"
    """From the root, as in `$.kpis.accuracy.levels[0].target`; a key that is not a plain word is quoted: `$.kpis["a b"]`."""

    line: int = 0
    column: int = 0

    value: str = ""
    """The offending value as it was written, shortened; empty where there is none (a missing field, say)."""

    name: str = ""
    """The document's own name (a file name, as a rule); empty where there is only one and the reader knows which."""

    def __str__(self) -> str:
        position = f"{self.line}:{self.column}" if self.line else ""
        prefix = ":".join(part for part in (self.name, position) if part)
        return f"{prefix} {self.path}".lstrip()


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong, or worth knowing, at one place of a document.

    An `error` stops the document from being read or agreed; a `warning` should be answered by a person; a `note` needs nothing.
    `where` may be a bare path as long as nobody has looked up its line: `contracts.reading.Reading.locate` does that.
    """

    severity: Severity
    where: Where | str
    message: str
    """A sentence without its full stop; it quotes the value it speaks of."""

    repair: str = ""
    """What to do about it, as one sentence with its full stop."""

    @property
    def path(self) -> str:
        return self.where if isinstance(self.where, str) else self.where.path

    @property
    def line(self) -> int:
        return 0 if isinstance(self.where, str) else self.where.line

    @property
    def column(self) -> int:
        return 0 if isinstance(self.where, str) else self.where.column

    @property
    def value(self) -> str:
        return "" if isinstance(self.where, str) else self.where.value

    def __str__(self) -> str:
        """Place, fault and repair: `13:15 $.kpis.acc.levels[0].target: 'abc' is not a number. Write a number such as 95.`."""
        severity = "" if self.severity == "error" else f"{self.severity}: "
        repair = f" {self.repair}" if self.repair else ""
        return f"{self.where}: {severity}{self.message.rstrip('.')}.{repair}"


def render(findings: Iterable[Finding]) -> str:
    """The findings as lines of text, in the order of the document; those without a line come first."""
    return "\n".join(str(finding) for finding in in_order(findings))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """By document, line and column; what stands at one place keeps the order in which it was found."""

    def place(finding: Finding) -> tuple[str, int, int]:
        name = "" if isinstance(finding.where, str) else finding.where.name
        return (name, finding.line, finding.column)

    return sorted(findings, key=place)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any of them stops the document."""
    return any(finding.severity == "error" for finding in findings)


class ContractError(Exception):
    """The request cannot be carried out. `message` says why, with the value concerned; `repair` what to do instead."""

    def __init__(self, message: str, repair: str = "") -> None:
        super().__init__(message, repair)
        self.message = message
        self.repair = repair

    def __str__(self) -> str:
        return f"{self.message.rstrip('.')}. {self.repair}".rstrip()


class DocumentRefused(ContractError):
    """A document has errors. Its findings are all that was found, not only the first."""

    def __init__(self, findings: Sequence[Finding], *, name: str = "") -> None:
        self.findings = in_order(findings)
        self.name = name
        errors = sum(finding.severity == "error" for finding in self.findings)
        faults = "1 error" if errors == 1 else f"{errors} errors"
        super().__init__(f"{name or 'The document'} has {faults}", "Correct each of them and hand the document in again.")
        self.args = (self.findings,)  # What pickle hands to the constructor on the far side of a process boundary.


class NotFound(ContractError):
    """Nothing of that name exists, or nothing that this caller may see."""


class NotInForce(ContractError):
    """The contract exists, but none of its versions covers the day asked for."""


class Overlap(ContractError):
    """Two versions of one contract would be in force on the same day."""


class NotConfirmed(ContractError):
    """A version holds when both sides have confirmed it, and one of them has not."""


class AlreadyAgreed(ContractError):
    """The version was agreed by both parties; it is added to, never changed."""


class CannotCompute(ContractError):
    """A figure that the contract's words require is missing, or its rules say nothing, or two things, for the value at hand."""


class RefusedValue(ValueError):
    """A document type cannot accept a value it was given; raised by `__post_init__` only.

    `field` is the key as the document writes it (`from`, not `from_`), so that the finding can point at its line; without it
    the finding points at the whole. An ordinary `ValueError` does as well, but cannot say either.
    """

    def __init__(self, message: str, repair: str = "", *, field: str = "") -> None:
        super().__init__(message, repair)
        self.message = message
        self.repair = repair
        self.field = field

    def __str__(self) -> str:
        return f"{self.message.rstrip('.')}. {self.repair}".rstrip()
