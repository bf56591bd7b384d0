"""The KPI library: the field's common KPIs, ready to be included in a contract, each with a worked example that runs.

The entries stand in ``contracts/library/*.yaml``.  A contract takes one by name (:mod:`contracts.including`); what it does not say
otherwise is the library's, and the result is written into the contract when it is agreed, so that a later library changes nothing.
"""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from importlib import resources

import msgspec

from contracts.document import Contract, Example, ExampleRow, Given, InForce, Kpi, Measure, Part
from contracts.explaining import counted, levels_in_words
from contracts.reading import read


class Worked(Part, frozen=True, kw_only=True):
    """A month of counts and what they come to."""

    words: str
    """The sum as a sentence."""
    counts: dict[str, Decimal]
    """What was delivered for the month, by measure."""
    value: Decimal
    """The KPI's value."""
    met: bool | None = None
    """Whether the target is met; not given where there is none."""


class Entry(Part, frozen=True, kw_only=True):
    """One KPI of the library."""

    kpi: Kpi
    """The KPI as a contract writes it."""
    measures: dict[str, Measure]
    """The measures it is counted from."""
    inclusions: str
    """What counts."""
    exclusions: str
    """What does not."""
    clock: str
    """When it counts, and from when to when time runs."""
    roll_up: str
    """How results of days, queues and sites become one."""
    levels_from: str
    """Where the levels come from; most are starting assumptions."""
    worked: Worked
    """An example."""

    def definition(self) -> str:
        """The definition as it is printed on the scorecard: with what is included, what is not, and the clock."""
        return " ".join(
            (
                self.kpi.definition or self.kpi.title + ".",
                f"Included: {_lower(self.inclusions)}",
                f"Not included: {_lower(self.exclusions)}",
                f"Clock: {_lower(self.clock)}",
            )
        )

    def included(self) -> Kpi:
        """The KPI as it enters a contract."""
        return msgspec.structs.replace(self.kpi, definition=self.definition())


class Family(Part, frozen=True, kw_only=True):
    """A file of the library."""

    family: str
    """What its KPIs have in common."""
    entries: dict[str, Entry]
    """By the name under which a contract includes them."""


@functools.cache
def families() -> tuple[Family, ...]:
    """The library as it ships, in the order of its files."""
    folder = resources.files("contracts") / "library"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return tuple(read(file.read_bytes(), Family, name=file.name).required() for file in files)


def entries() -> dict[str, Entry]:
    """Every KPI by its name."""
    return {name: entry for family in families() for name, entry in family.entries.items()}


def nearest(name: str, among: Mapping[str, Entry] | None = None) -> str | None:
    """The library's name that was probably meant, found by name or by title."""
    known = entries() if among is None else among
    words = {one.casefold(): one for one in known} | {entry.kpi.title.casefold(): one for one, entry in known.items()}
    close = difflib.get_close_matches(name.casefold(), words, n=1, cutoff=0.7)
    return words[close[0]] if close else None


def find(name: str) -> tuple[str, Entry] | None:
    """The entry of this name or title, however its letters, hyphens and spaces are written."""
    plain = _plain(name)
    for own, entry in entries().items():
        if plain in (_plain(own), _plain(entry.kpi.title)):
            return own, entry
    return None


def example_of(name: str, entry: Entry) -> tuple[Contract, Example]:
    """The worked example as a contract of one KPI and an example in it."""
    month = date(2026, 3, 1)
    contract = Contract(
        contract="LIBRARY",
        title="The KPI library",
        vendor="any",
        in_force=InForce(from_=month, until=date(2026, 4, 1)),
        measures=entry.measures,
        kpis={name: entry.included()},
    )
    rows = [ExampleRow(measure=measure, starts_on=month, value=value) for measure, value in entry.worked.counts.items()]
    result: dict[str, object] = {"kpi": name, "status": "measured", "value": entry.worked.value}
    if entry.worked.met is not None:
        result["met"] = entry.worked.met
    return contract, Example(name=entry.worked.words, given=Given(data=rows), expect={"results": [result]})


def page() -> str:
    """The library as Markdown, one section for each KPI."""
    lines = [
        "# KPI library",
        "",
        "Ready-made KPIs that a contract includes by name. This page is printed from `contracts/library/` by",
        "`python -m contracts.library`; a test compares the two, and runs every worked example through the engine.",
        "",
        "```yaml",
        "include:",
        "  - {library: acc, set: {weight: 40}}",
        "  - {library: [tat_sla, leakage]}",
        "  - library: csat",
        "    as: csat_chat",
        "    set: {weight: 20, where: {channel: chat}}",
        "    sites:",
        "      amman-1: [{from: 2026-03-01, at: {floor: 65, target: 75}}]",
        "```",
        "",
        "`set` replaces fields of the KPI (null takes one away), `sites` adds levels for one site, `as` gives another name, and `file`",
        "names a library of your own beside the contract, in the form of these files. `contract check` resolves includes; agreeing writes",
        "the result into the stored version, whose hash covers it.",
        "",
    ]
    for family in families():
        lines += [f"## {family.family.capitalize()}", ""]
        for name, entry in family.entries.items():
            lines += [*_section(name, entry), ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, entry: Entry) -> list[str]:
    kpi = entry.kpi
    direction = {"higher": "more is better", "lower": "less is better", "inside": "inside a band"}[kpi.better]
    return [
        f"### `{name}`: {kpi.title}",
        "",
        kpi.definition or "",
        "",
        f"- Counted: {counted(kpi, entry.measures)}; {direction}.",
        f"- Included: {_lower(entry.inclusions)}",
        f"- Not included: {_lower(entry.exclusions)}",
        f"- Clock: {_lower(entry.clock)}",
        f"- Roll-up: {_lower(entry.roll_up)}",
        f"- Levels: {levels_in_words(kpi) or 'none'}. {entry.levels_from}",
        f"- Example: {entry.worked.words}",
    ]


def _lower(text: str) -> str:
    """A sentence inside another one begins small, unless its first word is a name or an abbreviation."""
    first = text.split(" ", 1)[0]
    return text if first[1:].lower() != first[1:] else text[:1].lower() + text[1:]


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


if __name__ == "__main__":
    sys.stdout.write(page())


__all__ = ["Entry", "Family", "Worked", "entries", "example_of", "families", "find", "nearest", "page"]
