"""Bytes to a tree of values, each with its line and column, before anyone asks what they mean.

YAML is read with the scalars of YAML 1.2 and without anything that makes a document mean other than it says: no anchors, aliases,
merge keys or tags, no duplicate keys, no number that is not a number. `NO`, `off`, `7:00`, `1_000`, `007` and dates are text. JSON is
read by the same rules by a scanner of its own, because it allows what YAML parsers refuse (tabs, paired surrogates, long keys).

Faults are collected in `Tree.findings`; a place that cannot be read becomes a node of kind `unusable`, about which nothing more is
said. Only a fault of syntax, or a document beyond the limits, ends the reading: then `Tree.root` is None.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal, NoReturn

import yaml

from contracts.errors import Finding, Where, below

MAX_BYTES = 2_000_000
MAX_DEPTH = 40
MAX_VALUES = 300_000
MAX_FINDINGS = 1_000
MAX_SHOWN = 60
MAX_LISTED = 8
MAX_DIGITS = 40
"""Of a number, and of its exponent's size: 1e999999999 fits in eleven bytes and, as a whole number, in no memory."""

Kind = Literal["text", "number", "bool", "null", "list", "mapping", "unusable"]

_MANTISSA = r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)"
# A number as YAML 1.2 writes it, except that a leading zero makes text: `007` is a name.
_NUMBER = re.compile(rf"{_MANTISSA}(?:[eE][-+]?[0-9]+)?")

NUMBER_PATTERN = rf"^(?=[^eE]{{1,{MAX_DIGITS}}}(?:[eE]|$)){_MANTISSA}(?:[eE][-+]?0*(?:[0-9]|[1-3][0-9]|{MAX_DIGITS}))?$"
"""The numbers that are read, in the dialect of JSON Schema: the same without those that are too long."""

_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_JSON_SPACE = re.compile(r"[ \t\r\n]*")
_JSON_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_JSON_WORD = re.compile(r"[-+]?[A-Za-z]+")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NOT_FINITE = re.compile(r"[-+]?\.?(?:nan|inf|infinity)", re.IGNORECASE)

# Line separators beyond CR and LF are among them: YAML 1.1 breaks lines there, YAML 1.2 and editors do not, so lines would differ.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")


class Node:
    """One value and where it stands.

    `content` is the value: str, int, Decimal, bool, None, a list of nodes, or a dict from key to `Entry`. `text` is a scalar as it was
    written. Line and column count from 1; a block that begins below its key has the position of the key, where a reader would look.
    """

    __slots__ = ("column", "content", "incomplete", "kind", "line", "text")

    def __init__(self, kind: Kind, content: object, text: str, line: int, column: int) -> None:
        self.kind: Kind = kind
        self.content = content
        self.text = text
        self.line = line
        self.column = column
        self.incomplete = False
        """A mapping from which an entry was dropped: that something is missing in it is no news."""

    @property
    def items(self) -> list[Node]:
        return self.content if isinstance(self.content, list) else []

    @property
    def entries(self) -> dict[str, Entry]:
        return self.content if isinstance(self.content, dict) else {}

    def shown(self) -> str:
        """The value for a message, one line and short."""
        if self.kind == "list":
            return f"a list of {len(self.items)}"
        if self.kind == "mapping":
            return f"a mapping of {listed(list(self.entries)) or 'nothing'}"
        return shown(self.text)


class Entry:
    """A key of a mapping and the value under it."""

    __slots__ = ("column", "line", "node")

    def __init__(self, line: int, column: int, node: Node) -> None:
        self.line = line
        self.column = column
        self.node = node


class Tree:
    """What was read: the root, or None if nothing sensible could be, and all findings so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Node | None = None
        self.findings: list[Finding] = []
        self.dropped_findings = False

    def report(self, line: int, column: int, path: str, message: str, repair: str, *, value: str = "") -> None:
        self._add(Finding("error", Where(path, line, column, value, self.name), message, repair))

    def warn(self, line: int, column: int, message: str, repair: str) -> None:
        self._add(Finding("warning", Where("$", line, column, "", self.name), message, repair))

    def _add(self, finding: Finding) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(finding)
        elif not self.dropped_findings:
            self.dropped_findings = True
            self.findings.append(
                Finding(
                    "error",
                    Where("$", finding.line, finding.column, "", self.name),
                    f"There are more than {MAX_FINDINGS} findings; the rest is not listed",
                    "Check that this is the document you meant.",
                )
            )


def tree_of(data: bytes | str, *, name: str = "") -> Tree:
    """Reads a document. The name's ending (.json, .yaml) decides the form; without one, a document that is JSON is read as JSON."""
    tree = Tree(name)
    text = _text_of(data, tree)
    if text is None:
        return tree
    looks_like_json = text.lstrip(" \t\r\n")[:1] in ("{", "[")
    try:
        if name.lower().endswith(".json"):
            _Json(text, tree).read()
        elif not looks_like_json or not _read_if_json(text, tree):
            _Yaml(text, tree).read()
    except _EndOfReading:
        tree.root = None
    return tree


def number_of(text: str) -> int | Decimal | None:
    """The number that a text writes, exactly; None if it writes none. Raises OverflowError where it is beyond any sensible size."""
    if not _NUMBER.fullmatch(text):
        return None
    mantissa, _, exponent = text.lower().partition("e")
    # The exponent's own digits first: turning thousands of them into an int is what is to be avoided.
    if len(mantissa) > MAX_DIGITS or len(exponent) > MAX_DIGITS or abs(int(exponent or "0")) > MAX_DIGITS:
        raise OverflowError
    if _WHOLE.fullmatch(text):
        return int(text)
    number = Decimal(text)
    return number or number.copy_abs()


def means_more_than_text(text: str) -> bool:
    """Whether the text, without quotes, is read as something other than itself."""
    try:
        return text in _NULLS or text in _BOOLS or number_of(text) is not None
    except OverflowError:
        return True


def is_number_in_disguise(text: str) -> bool:
    """Whether Python would take the text for a number although a document does not: `NaN`, `1_000`, ` 5`, `007`, Arabic digits."""
    if _NOT_FINITE.fullmatch(text.strip()):
        return True
    try:
        Decimal(text)
    except ArithmeticError:
        return False
    return not _NUMBER.fullmatch(text)


def shown(text: str) -> str:
    """Text for a message: quoted, short, on one line, and without anything that a terminal would obey."""
    return "'" + "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in short(text)) + "'"


def short(text: str) -> str:
    """At most `MAX_SHOWN` characters of a text."""
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def listed(names: list[str]) -> str:
    """The first few of some names."""
    return ", ".join(short(name) for name in names[:MAX_LISTED]) + (", …" if len(names) > MAX_LISTED else "")


class _EndOfReading(Exception):  # noqa: N818 - not an error by itself
    """Nothing after this place can be understood; what is wrong has been reported."""


def _text_of(data: bytes | str, tree: Tree) -> str | None:
    """The document's characters; findings about bytes and characters that have no place in one."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        message = f"The document has {len(raw):,} bytes, more than the {MAX_BYTES:,} that are read"
        tree.report(0, 0, "$", message, "Split it, or move lists into files.")
        return None
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        tree.report(1, 1, "$", "The document is saved as UTF-16", "Save it as UTF-8.")
        return None
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = _Lines(before + "?").at(len(before))
        byte = f"0x{raw[error.start]:02X}"
        tree.report(line, column, "$", f"The byte {byte} is not UTF-8", "Save the document as UTF-8.", value=byte)
        text = raw.decode("utf-8", "replace")
    if _CONTROL.search(text) or _REORDERING.search(text):
        lines = _Lines(text)
        for match in _CONTROL.finditer(text):
            line, column = lines.at(match.start())
            point = f"U+{ord(match[0]):04X}"
            tree.report(line, column, "$", f"The invisible control character {point} has no place in a document", "Delete it.", value=point)
        for match in _REORDERING.finditer(text):
            line, column = lines.at(match.start())
            tree.warn(
                line,
                column,
                f"U+{ord(match[0]):04X} changes the order in which the text is shown, so that it reads differently from what it says",
                "Delete it unless a right-to-left passage needs it.",
            )
        text = _CONTROL.sub("\ufffd", text)
    return text


class _Lines:
    """Index in a text → line and column, from 1."""

    def __init__(self, text: str) -> None:
        self.starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]

    def at(self, index: int) -> tuple[int, int]:
        line = bisect_right(self.starts, index)
        return line, index - self.starts[line - 1] + 1


def _position(mark: Any) -> tuple[int, int]:
    """What libyaml counts from 0, counted from 1."""
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


class _Builder:
    """What both forms share: entries, limits, and the checks of a value that do not depend on its meaning."""

    def __init__(self, text: str, tree: Tree) -> None:
        self.text = text
        self.tree = tree
        self.values = 0

    def count(self, depth: int, line: int, column: int) -> None:
        self.values += 1
        if depth > MAX_DEPTH:
            self.stop(line, column, f"Lists and mappings stand more than {MAX_DEPTH} deep in one another", "Flatten the document.")
        if self.values > MAX_VALUES:
            self.stop(line, column, f"The document has more than {MAX_VALUES:,} values", "Split it, or move lists into files.")

    def stop(self, line: int, column: int, message: str, repair: str) -> NoReturn:
        self.tree.report(line, column, "$", message, repair)
        raise _EndOfReading

    def enter(self, mapping: Node, path: str, key: str, line: int, column: int, node: Node) -> None:
        """Puts a value under its key, unless the key stands there already."""
        first = mapping.entries.get(key)
        if first is not None:
            self.tree.report(
                line,
                column,
                below(path, key),
                f"The key {shown(key)} stands twice (first on line {first.line})",
                "Keep one of the two.",
                value=key,
            )
            return
        if node.line != line and node.kind in ("list", "mapping"):
            node.line, node.column = line, column
        mapping.entries[key] = Entry(line, column, node)

    def scalar(self, text: str, line: int, column: int, path: str, *, plain: bool, escapes: bool) -> Node:
        """A scalar by the rules of YAML 1.2; `plain` is one without quotes, `escapes` says that it may hold escaped characters."""
        if plain:
            if text in _NULLS:
                return Node("null", None, text, line, column)
            if text in _BOOLS:
                return Node("bool", _BOOLS[text], text, line, column)
            try:
                number = number_of(text)
            except OverflowError:
                self.tree.report(
                    line,
                    column,
                    path,
                    f"The number {shown(text)} is too long",
                    f"Write it with at most {MAX_DIGITS} digits, or in quotes if it is not a number.",
                    value=short(text),
                )
                return Node("unusable", None, text, line, column)
            if number is not None:
                return Node("number", number, text, line, column)
        if escapes and not self.writable(text, line, column, path):
            return Node("unusable", None, text, line, column)
        return Node("text", text, text, line, column)

    def writable(self, text: str, line: int, column: int, path: str) -> bool:
        """Reports a text whose escapes make characters that no document, file or database should hold."""
        match = _CONTROL.search(text) or _LONE_SURROGATE.search(text)
        if match is not None:
            point = f"U+{ord(match[0]):04X}"
            self.tree.report(line, column, path, f"The text contains the control character {point}", "Delete it.", value=point)
        return match is None


class _Open:
    """A list or mapping that is still being read, and the key that waits for its value."""

    __slots__ = ("key", "key_column", "key_line", "node", "path", "waiting")

    def __init__(self, node: Node, path: str) -> None:
        self.node = node
        self.path = path
        self.waiting = False
        self.key: str | None = None
        self.key_line = 0
        self.key_column = 0

    def next_path(self) -> str:
        if self.node.kind == "list":
            return below(self.path, len(self.node.items))
        return below(self.path, self.key) if self.key is not None else self.path


class _Yaml(_Builder):
    """Builds the tree from libyaml's events: no recursion, so a hostile document cannot exhaust the stack."""

    def read(self) -> None:
        documents = 0
        open_: list[_Open] = []
        for event in self.events():
            line, column = _position(event.start_mark)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if event.version not in (None, (1, 2)) or event.tags:
                    self.tree.report(line, column, "$", "Directives (lines that begin with %) are not read", "Delete the line.")
                if documents > 1:
                    self.stop(line, column, "A second document begins here", "Keep one document in a file; delete the line `---`.")
            elif isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
                self.count(len(open_) + 1, line, column)
                path = open_[-1].next_path() if open_ else "$"
                is_list = isinstance(event, yaml.SequenceStartEvent)
                node = Node("list", [], "", line, column) if is_list else Node("mapping", {}, "", line, column)
                usable = self.is_plain_spoken(event, line, column, path)
                # The place is taken at once, so that the key of a block is known before its contents; a refused one is read all the same.
                self.attach(open_, node if usable else Node("unusable", None, "", line, column))
                open_.append(_Open(node, path))
            elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                open_.pop()
            elif isinstance(event, yaml.ScalarEvent):
                self.count(len(open_), line, column)
                self.take_scalar(event, open_, line, column)
            elif isinstance(event, yaml.AliasEvent):
                path = open_[-1].next_path() if open_ else "$"
                self.tree.report(
                    line,
                    column,
                    path,
                    f"The alias {shown(f'*{event.anchor}')} stands for text elsewhere",
                    "Write out what it stands for.",
                    value=short(f"*{event.anchor}"),
                )
                self.attach(open_, Node("unusable", None, "", line, column))

    def events(self) -> Iterator[yaml.Event]:
        try:
            yield from yaml.parse(self.text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            # What is never closed breaks off at the end of the document, but is repaired where it begins.
            is_unclosed = error.context_mark and (not error.problem_mark or error.problem_mark.index >= len(self.text.rstrip()))
            line, column = _position(error.context_mark if is_unclosed else error.problem_mark)
            message, repair = self.syntax(error, line)
            self.stop(line, column, message, repair)
        except yaml.YAMLError as error:
            self.stop(1, 1, f"This is not YAML: {error}", "Save the document as UTF-8 text.")

    def syntax(self, error: yaml.MarkedYAMLError, line: int) -> tuple[str, str]:
        lines = _LINE_BREAK.split(self.text)
        written = lines[line - 1] if line <= len(lines) else ""
        indent = written[: len(written) - len(written.lstrip())]
        context = f" ({error.context}, which begins on line {error.context_mark.line + 1})" if error.context and error.context_mark else ""
        if "\t" in indent:
            return "A tab stands in the indentation", "Indent with spaces; what follows cannot be read until then."
        if "mapping values are not allowed" in (error.problem or ""):
            return (
                "A second `:` in one line, or a line indented further than the one it belongs to",
                "Put text that contains `: ` in quotes, and align the keys of one mapping.",
            )
        return (
            f"The YAML breaks off here: {error.problem}{context}",
            "Close brackets and quotes, align the keys of one mapping, and quote text that begins with one of @ ` % & * ! | > { [.",
        )

    def is_plain_spoken(self, event: yaml.NodeEvent, line: int, column: int, path: str) -> bool:
        """Reports anchors and tags. A value with an anchor says what it says; one with a tag does not."""
        if event.anchor is not None:
            self.tree.report(
                line,
                column,
                path,
                f"The anchor {shown(f'&{event.anchor}')} is meant for reuse elsewhere",
                "Delete it, and write out each place that refers to it.",
                value=short(f"&{event.anchor}"),
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.tree.report(
                line,
                column,
                path,
                f"The tag {shown(tag)} would change what the value means",
                "Delete it; put text in quotes instead.",
                value=short(tag),
            )
        return tag is None

    def take_scalar(self, event: yaml.ScalarEvent, open_: list[_Open], line: int, column: int) -> None:
        plain = event.style is None or event.style == ""
        top = open_[-1] if open_ else None
        is_key = top is not None and top.node.kind == "mapping" and not top.waiting
        path = top.next_path() if top and not is_key else top.path if top else "$"
        usable = self.is_plain_spoken(event, line, column, path)
        if is_key and top is not None:
            top.waiting, top.key, top.key_line, top.key_column = True, None, line, column
            if plain and event.value == "<<":
                self.refuse_key(top, "The merge key `<<` takes its entries from elsewhere", "Write the entries out.", "<<")
            elif plain and event.value in _NULLS:
                self.refuse_key(top, "A key is missing before the `:`", "Write a name before it.", event.value)
            elif not usable or not self.writable(event.value, line, column, path):
                top.node.incomplete = True
            else:
                top.key = event.value
            return
        if usable:
            node = self.scalar(event.value, line, column, path, plain=plain, escapes=event.style == '"')
        else:
            node = Node("unusable", None, "", line, column)
        self.attach(open_, node)

    def refuse_key(self, top: _Open, message: str, repair: str, value: str) -> None:
        self.tree.report(top.key_line, top.key_column, top.path, message, repair, value=value)
        top.node.incomplete = True

    def attach(self, open_: list[_Open], node: Node) -> None:
        """Puts a finished scalar, or a list or mapping just begun, where it belongs."""
        if not open_:
            self.tree.root = node
            return
        top = open_[-1]
        if top.node.kind == "list":
            top.node.items.append(node)
        elif top.waiting:
            top.waiting = False
            if top.key is not None:
                self.enter(top.node, top.path, top.key, top.key_line, top.key_column, node)
        else:
            top.waiting, top.key, top.key_line, top.key_column = True, None, node.line, node.column
            if node.kind != "unusable":
                self.refuse_key(top, "A list or mapping stands where a key should", "Write a name before the `:`.", "")
            top.node.incomplete = True


def _read_if_json(text: str, tree: Tree) -> bool:
    """Reads JSON that does not say by its name that it is JSON; False, and nothing reported, if it is not JSON after all."""
    attempt = _Json(text, Tree(tree.name))
    try:
        attempt.read()
    except _EndOfReading:
        if attempt.is_syntax_fault:
            return False
        tree.findings += attempt.tree.findings
        raise
    tree.findings += attempt.tree.findings
    tree.root = attempt.tree.root
    return True


class _Json(_Builder):
    def __init__(self, text: str, tree: Tree) -> None:
        super().__init__(text, tree)
        self.lines = _Lines(text)
        self.is_syntax_fault = False

    def read(self) -> None:
        root, index = self.value(self.space(0), 0, "$")
        index = self.space(index)
        if index < len(self.text):
            self.syntax(index, "More follows after the end of the document")
        self.tree.root = root

    def space(self, index: int) -> int:
        match = _JSON_SPACE.match(self.text, index)
        return match.end() if match else index

    def syntax(self, index: int, message: str) -> NoReturn:
        self.is_syntax_fault = True
        line, column = self.lines.at(index)
        found = shown(self.text[index : index + 12].partition("\n")[0]) if index < len(self.text) else "the end of the document"
        self.stop(line, column, f"{message}: {found}", "JSON takes names in double quotes, commas between entries and none after the last.")

    def value(self, index: int, depth: int, path: str) -> tuple[Node, int]:
        line, column = self.lines.at(index)
        first = self.text[index : index + 1]
        self.count(depth + (first in ("{", "[")), line, column)
        if first == "{":
            return self.mapping(index, depth + 1, path)
        if first == "[":
            return self.list(index, depth + 1, path)
        if first == '"':
            text, end = self.string(index)
            return self.scalar(text, line, column, path, plain=False, escapes=True), end
        number = _JSON_NUMBER.match(self.text, index)
        if number is not None and not self.text[number.end() : number.end() + 1].isalnum():
            return self.scalar(number[0], line, column, path, plain=True, escapes=False), number.end()
        word = _JSON_WORD.match(self.text, index)
        if word is not None and word[0] in ("true", "false", "null"):
            return self.scalar(word[0], line, column, path, plain=True, escapes=False), word.end()
        if word is not None and _NOT_FINITE.fullmatch(word[0]):
            repair = "Write a number such as 95 or 95.5, or leave the field out."
            self.tree.report(line, column, path, f"{shown(word[0])} is not a number", repair, value=word[0])
            return Node("unusable", None, word[0], line, column), word.end()
        return self.syntax(index, "A value is expected here")

    def string(self, index: int) -> tuple[str, int]:
        match = _JSON_STRING.match(self.text, index)
        if match is None:
            self.syntax(index, "This text has no end, or a line break or an unknown escape in it")
        return json.loads(match[0]), match.end()

    def list(self, index: int, depth: int, path: str) -> tuple[Node, int]:
        node = Node("list", [], "", *self.lines.at(index))
        index = self.space(index + 1)
        if self.text[index : index + 1] == "]":
            return node, index + 1
        while True:
            item, index = self.value(index, depth, below(path, len(node.items)))
            node.items.append(item)
            index = self.space(index)
            if self.text[index : index + 1] == "]":
                return node, index + 1
            if self.text[index : index + 1] != ",":
                self.syntax(index, "A comma or `]` is expected here")
            index = self.space(index + 1)

    def mapping(self, index: int, depth: int, path: str) -> tuple[Node, int]:
        node = Node("mapping", {}, "", *self.lines.at(index))
        index = self.space(index + 1)
        if self.text[index : index + 1] == "}":
            return node, index + 1
        while True:
            line, column = self.lines.at(index)
            if self.text[index : index + 1] != '"':
                self.syntax(index, "A name in double quotes is expected here")
            key, index = self.string(index)
            usable = self.writable(key, line, column, path)
            index = self.space(index)
            if self.text[index : index + 1] != ":":
                self.syntax(index, "A colon is expected here")
            value, index = self.value(self.space(index + 1), depth, below(path, key))
            if usable:
                self.enter(node, path, key, line, column, value)
            else:
                node.incomplete = True
            index = self.space(index)
            if self.text[index : index + 1] == "}":
                return node, index + 1
            if self.text[index : index + 1] != ",":
                self.syntax(index, "A comma or `}` is expected here")
            index = self.space(index + 1)
