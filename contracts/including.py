"""Includes: KPIs taken from a library, resolved while a contract is read.

    include:
      - {library: [tat_sla, leakage]}                    KPIs of the library that ships
      - library: acc
        as: acc_video                                    under a name of the contract's own
        set: {weight: 40, sample: {at_least: 300}}       fields that the contract says otherwise; null takes one away
        sites: {amman-1: [{from: 2026-03-01, at: {target: 92}}]}     levels for one site
      - {library: house_kpi, file: house.yaml}           a library of one's own, beside the contract

Resolving happens on the tree, before it is held against the document's type: the KPIs and the measures they are counted from stand
in the result as if they had been written out, at the line of their include.  What is agreed is the result
(:func:`text_to_agree`), so that the hash covers it and a later library changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from contracts import library
from contracts.document import Contract, Part
from contracts.errors import Finding, Where
from contracts.nodes import Entry as Line
from contracts.nodes import Node, Tree, shown, tree_of
from contracts.reading import Reading, read, read_tree, write


class Include(Part, frozen=True, kw_only=True):
    """KPIs taken from a library."""

    library: str | list[str]
    """The names of the KPIs."""
    file: str | None = None
    """A library of one's own, named from the contract's folder; not given, the one that ships."""
    as_: str | None = msgspec.field(name="as", default=None)
    """The KPI's name in this contract; for one KPI only."""
    set: dict[str, Any] = msgspec.field(default_factory=dict)
    """Fields of the KPI that this contract says otherwise."""
    sites: dict[str, list[dict[str, Any]]] = msgspec.field(default_factory=dict)
    """Levels of single sites, in the form of a KPI's levels."""

    def __post_init__(self) -> None:
        if self.as_ is not None and len(self.names) != 1:
            msg = f"one name cannot stand for {len(self.names)} KPIs; include them one by one"
            raise ValueError(msg)

    @property
    def names(self) -> list[str]:
        """The KPIs."""
        return [self.library] if isinstance(self.library, str) else self.library


Files = Callable[[str], bytes]
"""Answers a file beside the contract; raises OSError or ValueError, with a sentence, where there is none to be read."""


def read_contract(data: bytes | str, *, name: str = "", files: Files | None = None) -> Reading[Contract]:
    """A contract with its includes resolved; every fault at its line.  Never raises."""
    tree = tree_of(data, name=name)
    if tree.root is not None and "include" in tree.root.entries:
        _resolve(tree, tree.root, files)
    return read_tree(tree, Contract)


def has_includes(data: bytes | str) -> bool:
    """Whether a contract takes anything from a library."""
    root = tree_of(data).root
    return root is not None and "include" in root.entries


def text_to_agree(data: bytes | str, document: Contract) -> str:
    """The text to store when the document that was read from `data` is agreed: as it was handed in, or with every include written out."""
    if has_includes(data):
        return write(document).decode()
    return data if isinstance(data, str) else data.decode("utf-8-sig")


def _resolve(tree: Tree, root: Node, files: Files | None) -> None:
    included = root.entries.pop("include")
    under = Tree(tree.name)
    under.root = included.node
    reading = read_tree(under, list[Include])
    for finding in reading.findings:
        _report(tree, finding, "$.include")
    for index, (node, include) in enumerate(_sound(included.node, reading)):
        entries = _library(tree, include, node, files, index)
        if entries is None:
            continue
        for name in include.names:
            if name not in entries:
                near = library.nearest(name, entries)
                tree.report(
                    node.line,
                    node.column,
                    f"$.include[{index}].library",
                    f"The library has no KPI {shown(name)}",
                    f"Did you mean {near}?" if near else "docs/kpi-library.md lists what it has.",
                    value=name,
                )
                continue
            _take(tree, root, node, include, name, entries[name], index)


def _sound(node: Node, reading: Reading[list[Include]]) -> list[tuple[Node, Include]]:
    """The includes that could be read, each with its node; the others have been reported."""
    faulty = {int(match[1]) for path in reading.left_out if (match := re.match(r"\$\[(\d+)\]", path))}
    includes = reading.partial if isinstance(reading.partial, list) else []
    return [pair for index, pair in enumerate(zip(node.items, includes, strict=False)) if index not in faulty]


def _report(tree: Tree, finding: Finding, root: str) -> None:
    where = finding.where if isinstance(finding.where, Where) else Where(finding.where)
    tree.report(where.line, where.column, root + where.path[1:], finding.message, finding.repair, value=where.value)


def _library(tree: Tree, include: Include, node: Node, files: Files | None, index: int) -> Mapping[str, library.Entry] | None:
    if include.file is None:
        return library.entries()
    path = f"$.include[{index}].file"
    if files is None:
        tree.report(node.line, node.column, path, "A file cannot be included here", "Write the KPIs into the contract.", value=include.file)
        return None
    try:
        data = files(include.file)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        tree.report(
            node.line, node.column, path, f"{shown(include.file)} cannot be read: {reason}", "Correct the name.", value=include.file
        )
        return None
    reading = read(data, library.Family, name=include.file)
    for finding in reading.findings:
        tree.report(node.line, node.column, path, f"{finding.where}: {finding.message}", finding.repair, value=include.file)
    return reading.partial.entries if reading.partial is not None else None


def _take(tree: Tree, root: Node, node: Node, include: Include, name: str, entry: library.Entry, index: int) -> None:
    own = include.as_ or name
    kpis = _mapping(root, "kpis", node)
    if kpis is None:
        return
    if own in kpis:
        tree.report(
            node.line,
            node.column,
            f"$.include[{index}]",
            f"The contract has a KPI {shown(own)} already",
            "Take one of them away, or give the included one another name with `as`.",
            value=own,
        )
        return
    kpi = _placed(entry.included(), node)
    given = node.entries["set"].node if "set" in node.entries else None
    for key, line in (given.entries if given is not None else {}).items():
        if line.node.kind == "null":
            kpi.entries.pop(key, None)
        else:
            kpi.entries[key] = line
    _add_sites(kpi, node)
    kpis[own] = Line(node.line, node.column, kpi)
    measures = _mapping(root, "measures", node)
    for measure, declared in entry.measures.items():
        if measures is not None and measure not in measures:
            measures[measure] = Line(node.line, node.column, _placed(declared, node))


def _add_sites(kpi: Node, node: Node) -> None:
    """Levels of single sites follow those for all, and prevail over them."""
    sites = node.entries["sites"].node.entries if "sites" in node.entries else {}
    for site, line in sites.items():
        for levels in line.node.items:
            name = Node("text", site, site, line.line, line.column)
            where = Node("mapping", {"site": Line(line.line, line.column, name)}, "", levels.line, levels.column)
            if "where" in levels.entries:
                where.entries.update({key: one for key, one in levels.entries["where"].node.entries.items() if key != "site"})
            entries = {**levels.entries, "where": Line(levels.line, levels.column, where)}
            placed = Node("mapping", entries, "", levels.line, levels.column)
            if "levels" not in kpi.entries:
                kpi.entries["levels"] = Line(line.line, line.column, Node("list", [], "", line.line, line.column))
            kpi.entries["levels"].node.items.append(placed)


def _mapping(root: Node, name: str, node: Node) -> dict[str, Line] | None:
    """A mapping at the top of the document, made where it is missing; None where something else stands there, which is reported later."""
    if name not in root.entries or root.entries[name].node.kind == "null":
        root.entries[name] = Line(node.line, node.column, Node("mapping", {}, "", node.line, node.column))
    found = root.entries[name].node
    return found.entries if found.kind == "mapping" else None


def _placed(value: msgspec.Struct, at: Node) -> Node:
    """A part of the library as a tree, all of it at the line of its include."""
    tree = tree_of(write(value))
    assert tree.root is not None
    _move(tree.root, at)
    return tree.root


def _move(node: Node, at: Node) -> None:
    node.line, node.column = at.line, at.column
    for item in node.items:
        _move(item, at)
    for entry in node.entries.values():
        entry.line, entry.column = at.line, at.column
        _move(entry.node, at)


__all__ = ["Files", "Include", "has_includes", "read_contract", "text_to_agree"]
