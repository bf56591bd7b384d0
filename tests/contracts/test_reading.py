"""Documents: read with every fault at once and its line, never silently read as something else, and written so that they read the same."""

import datetime as dt
import enum
import json
import pickle
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts import nodes
from contracts.errors import DocumentRefused, Finding, RefusedValue, Where, below, has_errors, render
from contracts.holes import Unread
from contracts.reading import Reading, read, write

T = TypeVar("T")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Side(Part, frozen=True, kw_only=True):
    of: str
    to: str


class Ratio(Part, frozen=True, kw_only=True):
    ratio: Side


class Mean(Part, frozen=True, kw_only=True):
    mean: str
    weighted_by: str | None = None


class Line(Part, frozen=True, kw_only=True, tag_field="kind", tag="line"):
    corners: list[tuple[Decimal | str, Decimal]]


class Fixed(Part, frozen=True, kw_only=True, tag_field="kind", tag="fixed"):
    amount: Decimal


class Corner(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    at: Decimal | str
    give: Decimal


class Colour(enum.Enum):
    GREEN = "green"
    AMBER = "amber"


class Level(Part, frozen=True, kw_only=True):
    from_: dt.date | None = msgspec.field(name="from", default=None)
    until: dt.date | None = None
    floor: Decimal | None = None
    target: Decimal

    def __post_init__(self) -> None:
        if self.from_ and self.until and self.until <= self.from_:
            raise RefusedValue(f"Ends on {self.until}, not after its start on {self.from_}", "Write a later day.", field="until")


class Kpi(Part, frozen=True, kw_only=True):
    title: str
    value: Ratio | Mean
    better: Literal["higher", "lower"] = "higher"
    weight: Decimal = Decimal(0)
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    critical: bool = False
    colour: Colour = Colour.GREEN
    levels: list[Level] = []
    corners: list[Corner] = []
    curve: Line | Fixed | None = None
    tags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"a weight of {self.weight} is negative; write 0 or more")


class Contract(Part, frozen=True, kw_only=True):
    contract: Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
    country: str = "PT"
    opens_at: dt.time = dt.time(9)
    seen_at: dt.datetime | None = None
    id: uuid.UUID | None = None
    holidays: dict[dt.date, str] = {}
    kpis: dict[str, Kpi] = {}
    extra: Any = None


class Figures(Part, frozen=True, kw_only=True):
    figures: list[Decimal] = []
    mixed: list[Decimal | str] = []
    whole: list[int] = []
    words: list[str] = []
    flags: list[bool] = []
    days: list[dt.date] = []


def found(text: str | bytes, type_: type[Any] = Contract, *, name: str = "") -> list[str]:
    return render(read(text, type_, name=name).findings).splitlines()


def document(text: str | bytes, type_: type[T], *, name: str = "") -> T:
    reading = read(text, type_, name=name)
    assert not has_errors(reading.findings), render(reading.findings)
    assert reading.document is not None
    return reading.document


TEN_FAULTS = """\
contract: IB-2026-03
country: NO
opens_at: 7:00
contract: IB-2026-04
kpis:
  accuracy:
    tilte: Decision accuracy
    value: {ratio: {of: correct, to: audited}}
    better: higer
    weight: 40%
    levels:
      - {from: 2026-02-30, target: 93}
      - {from: 2026-06-01, floor: .nan, target: 95}
      - {from: 2026-09-01, until: 2026-03-01, target: 96}
  tat:
    title: Turnaround
    value: &share {mean: minutes}
    levels:
      - {floor: 90}
  quality:
    title: Quality
    value: *share
"""


def test_ten_faults_are_ten_findings_with_line_path_value_and_repair() -> None:
    assert found(TEN_FAULTS) == [
        "3:11 $.opens_at: '7:00' is not a time of day. Write 07:00.",
        "4:1 $.contract: The key 'contract' stands twice (first on line 1). Keep one of the two.",
        "7:5 $.kpis.accuracy.tilte: There is no field 'tilte' here. Did you mean `title`?",
        "9:13 $.kpis.accuracy.better: 'higer' is not one of higher, lower. Did you mean higher?",
        "10:13 $.kpis.accuracy.weight: '40%' is not a number. Write 40.",
        "12:16 $.kpis.accuracy.levels[0].from: '2026-02-30' is not a day. Write a day that exists as year-month-day, such as 2026-03-01.",
        "13:35 $.kpis.accuracy.levels[1].floor: '.nan' is not a number. Write a number such as 95 or 95.5.",
        "14:35 $.kpis.accuracy.levels[2].until: Ends on 2026-03-01, not after its start on 2026-09-01. Write a later day.",
        "17:12 $.kpis.tat.value: The anchor '&share' is meant for reuse elsewhere. Delete it, and write out each place that refers to it.",
        "19:9 $.kpis.tat.levels[0].target: The field `target` is missing. Add `target:` with a number.",
        "22:12 $.kpis.quality.value: The alias '*share' stands for text elsewhere. Write out what it stands for.",
    ]
    reading = read(TEN_FAULTS, Contract, name="iberia.yaml")
    assert reading.document is None
    assert reading.findings[3] == Finding(
        "error",
        Where("$.kpis.accuracy.better", 9, 13, "higer", "iberia.yaml"),
        "'higer' is not one of higher, lower",
        "Did you mean higher?",
    )


# Nothing is read as other than it says


@pytest.mark.parametrize(
    "word", ["NO", "no", "yes", "on", "off", "y", "7:00", "1_000", "007", "0o17", "0x1F", "2026-03-01", "12e", "1.2.3", "="]
)
def test_what_older_yaml_turns_into_something_else_stays_text(word: str) -> None:
    assert document(f"words: [{word}]", Figures).words == [word]
    assert document(f"contract: a\ncountry: '{word}'", Contract).country == word


@pytest.mark.parametrize("key", ["NO", "on", "2026-03-01", "7:00", "true", "5", "1.0"])
def test_keys_are_text_whatever_they_look_like(key: str) -> None:
    assert document(f"contract: a\nextra:\n  {key}: x", Contract).extra == {key: "x"}


def test_keys_may_be_days_where_days_are_meant() -> None:
    assert document("contract: a\nholidays: {2026-12-25: Christmas}", Contract).holidays == {dt.date(2026, 12, 25): "Christmas"}
    assert found("contract: a\nholidays: {2026-13-25: Christmas}") == [
        "2:12 $.holidays.2026-13-25: '2026-13-25' is not a day. Write a day that exists as year-month-day, such as 2026-03-01."
    ]


@pytest.mark.parametrize(
    "written", ["80.10", "0.1", "123456789012345678901234567890.12345", "-3", "+4", ".5", "5.", "1e3", "2.5E-3", "'80.10'"]
)
def test_numbers_are_exact(written: str) -> None:
    figure = document(f"figures: [{written}]", Figures).figures[0]
    assert str(figure) == str(Decimal(written.strip("'")))


@pytest.mark.parametrize("written", ["-0", "-0.0", "'-0.0'"])
def test_zero_has_no_sign(written: str) -> None:
    assert not document(f"figures: [{written}]", Figures).figures[0].is_signed()


def test_json_numbers_are_exact_too() -> None:
    assert str(document('{"figures": [80.10, "80.10", 123456789012345678901234567890.5]}', Figures).figures) == str(
        [Decimal("80.10"), Decimal("80.10"), Decimal("123456789012345678901234567890.5")]
    )


NO_NUMBERS = [
    ".nan",
    ".NaN",
    ".inf",
    "-.inf",
    "NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "sNaN",
    "1_000",
    "007",
    "1,000",
    "95%",
    "٩٥",
    "0x1F",
    "' 5'",
]


@pytest.mark.parametrize("written", NO_NUMBERS)
def test_what_is_not_plainly_a_number_is_refused_where_one_is_meant(written: str) -> None:
    quoted = f"'{written}'" if "," in written else written
    assert [line.partition(": ")[2] for line in found(f"figures: [{quoted}]", Figures)] == [
        f"'{written.strip(chr(39))}' is not a number. Write {repair_of(written)}."
    ]


def repair_of(written: str) -> str:
    return {"1_000": "1000", "007": "7", "1,000": "1000", "95%": "95", "' 5'": "5"}.get(written, "a number such as 95 or 95.5")


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity"])
def test_json_that_is_not_a_number_is_refused_bare_and_quoted(written: str) -> None:
    for text in (f'{{"figures": [{written}]}}', f'{{"figures": ["{written}"]}}', f'{{"mixed": ["{written}"]}}'):
        assert len(found(text, Figures)) == 1
        assert f"'{written}' is not a number" in found(text, Figures)[0]


@pytest.mark.parametrize("written", ["NaN", ".inf", "1_000", "007", "Infinity"])
def test_a_figure_gone_wrong_does_not_pass_for_the_name_of_a_level(written: str) -> None:
    assert "is not a number" in found(f"mixed: [{written}]", Figures)[0]
    assert document("mixed: [floor, 95, '95', 95.5]", Figures).mixed == ["floor", Decimal(95), "95", Decimal("95.5")]


@pytest.mark.parametrize("written", ["1e999999999", "1e-999999999", "9" * 5000, "'1e41'", "1" + "0" * 50 + ".5"])
def test_a_number_too_long_for_any_purpose_is_refused_and_not_computed(written: str) -> None:
    assert len(found(f"figures: [{written}]\nwhole: []", Figures)) == 1


def test_wrong_kinds_of_values_are_explained_in_the_words_of_the_field() -> None:
    assert found("contract: 5\ncountry: true\nopens_at: [9]\nkpis:\n  a: [x]\n  b: text\n") == [
        "1:11 $.contract: '5' is not text. Put it in quotes: \"5\".",
        "2:10 $.country: 'true' is not text. Put it in quotes: \"true\".",
        "3:11 $.opens_at: A list of 1 is not a time of day. Write hours and minutes, such as 10:00.",
        "5:6 $.kpis.a: A list of 1 is not a mapping of title, value, better, weight, count, critical, colour, levels, …. "
        "Write its fields: title, value.",
        "6:6 $.kpis.b: 'text' is not a mapping of title, value, better, weight, count, critical, colour, levels, …. "
        "Write its fields: title, value.",
    ]
    assert found("whole: [1.5, '3', abc, 1e3, true, null]\nflags: [yes]\ndays: [today]\nwords: word", Figures) == [
        "1:9 $.whole[0]: '1.5' is not a whole number. Write a whole number such as 3.",
        "1:14 $.whole[1]: '3' is not a whole number. Write 3 without quotes.",
        "1:19 $.whole[2]: 'abc' is not a whole number. Write a whole number such as 3.",
        "1:24 $.whole[3]: '1e3' is not a whole number. Write a whole number such as 3.",
        "1:29 $.whole[4]: 'true' is not a whole number. Write a whole number such as 3.",
        "1:35 $.whole[5]: Nothing is written here; a whole number is expected. Write a whole number such as 3.",
        "2:9 $.flags[0]: 'yes' is not true or false. Write true or false.",
        "3:8 $.days[0]: 'today' is not a day. Write a day that exists as year-month-day, such as 2026-03-01.",
        "4:8 $.words: 'word' is not a list. Write a list: [word].",
    ]


def kpi(lines: str) -> list[str]:
    """The findings of one KPI, whose lines count from 1; line 0 is the one with its name."""
    body = "".join(f"    {line}\n" for line in lines.splitlines())
    reading = read(f"kpis:\n  k:\n{body}contract: a", Contract)
    return [
        f"{finding.line - 2}:{finding.column - 4} {finding.path.removeprefix('$.kpis.k')}: {finding.message}. {finding.repair}"
        for finding in reading.findings
    ]


def test_a_union_is_explained_by_the_form_that_was_begun() -> None:
    assert kpi("title: a\nvalue: {ratio: {of: x}}") == ["2:16 .value.ratio.to: The field `to` is missing. Add `to:` with some text."]
    assert kpi("title: a\nvalue: {mean: x, weighted: y}") == [
        "2:18 .value.weighted: There is no field 'weighted' here. Did you mean `weighted_by`?"
    ]
    assert kpi("title: a\nvalue: {ratio: {of: x, to: y}, mean: z}") == [
        "2:32 .value.mean: `mean` does not go together with `ratio`. Keep one of the two."
    ]
    assert kpi("title: a\nvalue: {raito: {of: x, to: y}}") == ["2:9 .value.raito: There is no field 'raito' here. Did you mean `ratio`?"]
    assert kpi("title: a\nvalue: {sum: x}") == [
        "2:8 .value: A mapping of sum is none of the forms that may stand here. Write `ratio` or `mean`."
    ]
    assert kpi("title: a\nvalue: 3") == [
        "2:8 .value: '3' is not a mapping of ratio or of mean, weighted_by. Write a mapping of ratio or of mean, weighted_by."
    ]


def test_a_union_that_is_marked_by_kind_is_explained_by_its_kind() -> None:
    start = "title: a\nvalue: {mean: x}\n"
    assert kpi(start + "curve: {kind: fixed}") == ["3:8 .curve.amount: The field `amount` is missing. Add `amount:` with a number."]
    assert kpi(start + "curve: {kind: fixd, amount: 3}") == ["3:15 .curve.kind: 'fixd' is not one of line, fixed. Did you mean fixed?"]
    assert kpi(start + "curve: {amount: 3}") == [
        "3:8 .curve.kind: The field `kind` is missing, which says what kind this is. Add `kind:` with one of line, fixed."
    ]
    assert kpi(start + "curve: {kind: line, corners: [[floor, x]]}") == [
        "3:39 .curve.corners[0][1]: 'x' is not a number. Write a number such as 95 or 95.5."
    ]


def test_a_list_of_fixed_length_says_what_each_place_holds() -> None:
    assert kpi("title: a\nvalue: {mean: x}\ncorners: [[floor, 0], [target], [1, 2, 3], [1, x]]") == [
        "3:23 .corners[1]: A list of 1 is not a list of at, give. Write a list of at, give.",
        "3:33 .corners[2]: A list of 3 is not a list of at, give. Write a list of at, give.",
        "3:48 .corners[3][1]: 'x' is not a number. Write a number such as 95 or 95.5.",
    ]


def test_bounds_lengths_and_the_type_s_own_word_are_findings_like_any_other() -> None:
    start = "title: a\nvalue: {mean: x}\n"
    assert kpi(start + "count: 0") == ["3:8 .count: '0' is not at least 1. Write a number of at least 1."]
    assert kpi(start + "count: 101") == ["3:8 .count: '101' is not at most 100. Write a number of at most 100."]
    assert kpi(start + "weight: -4") == ["0:-1 : a weight of -4 is negative. Write 0 or more."]
    assert kpi(start + "tags: [a, b, a]") == ["3:14 .tags[2]: 'a' stands twice in the list. Delete one of the two."]
    assert found("contract: ''") == ["1:11 $.contract: The text is empty. Write at least 1 character."]
    assert found(f"contract: {'x' * 41}")[0].endswith("is too long. Write at most 40 characters.")


class Either(Part, frozen=True, kw_only=True):
    percent: Decimal | None = None
    amount: Decimal | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("a payment has a percentage or an amount; write one of percent and amount")


def test_a_type_is_not_asked_about_fields_that_were_wrong_already() -> None:
    assert found("amount: 3", Either) == []
    assert found("{}", Either) == ["1:1 $: a payment has a percentage or an amount. Write one of percent and amount."]
    assert found("amount: abc", Either) == ["1:9 $.amount: 'abc' is not a number. Write a number such as 95 or 95.5."]


# What a document may not contain


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "1:1 $: The document is empty."),
        ("# only a remark\n", "1:1 $: The document is empty."),
        ("---\n...\n", "1:1 $: The document is empty."),
        ("~", "1:1 $: The document is empty."),
        ("[]", "1:1 $: A list of 0 is not a mapping of"),
        ("contract", "1:1 $: 'contract' is not a mapping of"),
        ("contract: a\n---\ncontract: b", "2:1 $: A second document begins here."),
        ("%YAML 1.1\n---\ncontract: a", "1:1 $: Directives (lines that begin with %) are not read."),
        ("contract: !!str 5", "1:11 $.contract: The tag 'tag:yaml.org,2002:str' would change what the value means."),
        ("contract: !python/name:os.system x", "1:11 $.contract: The tag '!python/name:os.system' would"),
        ("contract: a\nextra:\n\tb: 1", "3:1 $: A tab stands in the indentation."),
        ("contract: a\nextra: {<<: {b: 1}}", "2:9 $.extra: The merge key `<<` takes its entries from elsewhere."),
        ("contract: a\nextra: {[b]: 1}", "2:9 $.extra: A list or mapping stands where a key should."),
        ("contract: a\nextra: {~: 1}", "2:9 $.extra: A key is missing before the `:`."),
        ('contract: "a\\0b"', "1:11 $.contract: The text contains the control character U+0000."),
        ("contract: a\x07b", "1:12 $: The invisible control character U+0007 has no place in a document."),
        ("contract: a\x00", "1:12 $: The invisible control character U+0000 has no place in a document."),
        ("contract: a\u2028b", "1:12 $: The invisible control character U+2028 has no place in a document."),
        ("contract: [a", "1:11 $: The YAML breaks off here: did not find expected ',' or ']'"),
        ("contract: a: b", "1:12 $: A second `:` in one line"),
        ("contract: @a", "1:11 $: The YAML breaks off here"),
        ('{"contract": "a", "contract": "b"}', "1:19 $.contract: The key 'contract' stands twice (first on line 1)."),
        ('{"contract": "\\ud800"}', "1:14 $.contract: The text contains the control character U+D800."),
    ],
)
def test_a_document_that_plays_tricks_or_breaks_off_is_a_finding(text: str, finding: str) -> None:
    lines = found(text)
    assert len(lines) == 1, lines
    assert lines[0].startswith(finding)


def test_bytes_that_are_not_utf_8_are_named_with_their_line_and_other_faults_still_come() -> None:
    assert found(b"contract: a\ncountry: Espa\xf1a\nopens_at: late") == [
        "2:14 $: The byte 0xF1 is not UTF-8. Save the document as UTF-8.",
        "3:11 $.opens_at: 'late' is not a time of day. Write hours and minutes, such as 10:00.",
    ]
    assert found("contract: a".encode("utf-16"))[0].startswith("1:1 $: The document is saved as UTF-16.")
    assert found("contract: \ud800") == ["1:11 $: The byte 0xED is not UTF-8. Save the document as UTF-8."]


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault() -> None:
    reading = read(b"\xef\xbb\xbfcontract: a\r\ncountry: b\r\nopens_at: x\r\n", Contract)
    assert [(finding.line, finding.column) for finding in reading.findings] == [(3, 11)]


def test_the_size_limit_is_exact() -> None:
    padding = nodes.MAX_BYTES - len("contract: a\n#")
    assert not found("contract: a\n#" + "x" * padding)
    assert found("contract: a\n#" + "x" * (padding + 1))[0].startswith("$: The document has 2,000,001 bytes, more than the 2,000,000")


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_the_depth_limit_is_exact(form: str) -> None:
    def nested(depth: int) -> str:
        return '{"contract": "a", "extra": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"

    assert not found(nested(nodes.MAX_DEPTH), name=f"a.{form}")
    assert found(nested(nodes.MAX_DEPTH + 1), name=f"a.{form}") == [
        f"a.{form}:1:67 $: Lists and mappings stand more than 40 deep in one another. Flatten the document."
    ]


@pytest.mark.parametrize("text", ["[" * 500_000, "{" * 500_000, "- " * 500_000, "? " * 500_000, '{"a":' * 300_000, "a: " * 300_000])
def test_a_document_that_nests_without_end_costs_nothing(text: str) -> None:
    assert found(text)


def test_a_laughing_bomb_is_not_expanded() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20))
    assert len(found(bomb, dict[str, Any])) == 61  # 21 anchors and 40 aliases


def test_a_document_of_nothing_but_faults_lists_the_first_thousand() -> None:
    lines = found("words: [" + "1," * 5000 + "]", Figures)
    assert len(lines) == nodes.MAX_FINDINGS + 1
    assert "more than 1000 findings" in lines[-1]


def test_hidden_reordering_of_text_is_a_warning() -> None:
    reading = read("contract: a\u202eb", Contract)
    assert reading.document is not None
    assert "warning: U+202E changes the order" in render(reading.findings)


def test_a_finding_shows_nothing_that_a_terminal_would_obey() -> None:
    assert "\x1b" not in render(read('country: 1\ncontract: "\\e[31mred"\nopens_at: "\\e[2J"', Contract).findings)


# JSON


def test_json_is_read_with_its_own_lines_and_keeps_to_its_own_syntax() -> None:
    text = '{\n\t"contract": "\\ud83d\\ude00",\n\t"kpis": {"a b": {"title": "x",\n\t\t"value": {"mean": 3}}}\n}'
    assert found(text) == ['4:21 $.kpis["a b"].value.mean: \'3\' is not text. Put it in quotes: "3".']
    assert found("{'contract': 'a'}", name="a.json")[0].startswith("a.json:1:2 $: A name in double quotes is expected here: ")
    assert found('{"contract": "a",}', name="a.json")[0].startswith("a.json:1:18 $: A name in double quotes is expected here: '}'.")
    assert found('{"contract": "a"} x', name="a.json")[0].startswith("a.json:1:19 $: More follows after the end of the document: 'x'.")
    assert found('{"figures": [01]}', Figures, name="a.json")
    assert document('{"contract": "a",}', Contract).contract == "a", "without the ending .json this is YAML"


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Zl", "Zp"]), max_size=30)
json_scalars = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | printable


@given(st.recursive(json_scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4), max_leaves=20))
def test_json_is_read_as_the_standard_library_reads_it(value: Any) -> None:
    whole = {"contract": "a", "extra": value}
    for text in (json.dumps(whole), json.dumps(whole, ensure_ascii=False, indent="\t")):
        assert document(text, Contract, name="a.json").extra == value


# Places


PLACES = """\
contract: IB
kpis:
  tat:
    title: Turnaround
    value:
      mean: minutes
    levels:
      - {target: 95}
      -
        target: 90
  a "b" c: {title: x, value: {mean: y}}
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("$", (1, 1)),
        ("$.contract", (1, 11)),
        ("$.kpis", (2, 1)),
        ("$.kpis.tat", (3, 3)),
        ("$.kpis.tat.value", (5, 5)),
        ("$.kpis.tat.value.mean", (6, 13)),
        ("$.kpis.tat.levels[0]", (8, 9)),
        ("$.kpis.tat.levels[0].target", (8, 18)),
        ("$.kpis.tat.levels[1].target", (10, 17)),
        (below("$.kpis", 'a "b" c', "value", "mean"), (11, 37)),
        ("$.kpis.tat.weight", (3, 3)),
        ("$.kpis.tat.levels[7].target", (7, 5)),
        ("$.money.caps[0]", (1, 1)),
    ],
)
def test_a_path_leads_to_its_line_or_to_the_nearest_one_around_it(path: str, place: tuple[int, int]) -> None:
    assert read(PLACES, Contract).at(path) == place


def test_findings_of_later_checks_are_given_their_lines() -> None:
    reading = read(PLACES, Contract, name="a.yaml")
    located = reading.locate([Finding("warning", "$.kpis.tat.levels[0].target", "The target of 95 is never reached", "Lower it.")])
    assert render(located) == "a.yaml:8:18 $.kpis.tat.levels[0].target: warning: The target of 95 is never reached. Lower it."
    assert located[0].value == "95"


def test_what_is_right_is_kept_for_checks_beside_the_faults_of_form() -> None:
    reading = read(TEN_FAULTS, Contract)
    assert reading.document is None
    assert reading.partial is not None
    assert reading.partial.country == "NO"
    assert "$.opens_at" in reading.left_out
    with pytest.raises(Unread):  # What was meant is not known; least of all is it the default.
        reading.partial.opens_at.isoformat()
    with pytest.raises(DocumentRefused) as refused:
        reading.required()
    assert refused.value.findings == reading.findings
    assert pickle.loads(pickle.dumps(refused.value)).findings == reading.findings  # noqa: S301 - our own


# Properties


KPI = """\
  kpi{i}:
    title: Decision accuracy
    value: {{ratio: {{of: correct, to: audited}}}}
    better: higher
    weight: 40
    critical: false
    corners: [[floor, 0], [95, 100]]
    levels:
      - {{from: 2026-03-01, floor: 90, target: 93}}
      - {{from: 2026-06-01, floor: 93, target: 95}}
""".splitlines()

# Line of the KPI → what to write instead; the finding is expected on the last line of it.
FAULTS: dict[int, list[str]] = {
    1: [
        "    title: 5",
        "    title:",
        "    tilte: x",
        "    title: &t x",
        "    title: !t x",
        "    title: *t",
        "    title: x\n    title: y",
        '    title: "\\0"',
    ],
    2: [
        "    value: 3",
        "    value: {ratio: {of: a}}",
        "    value: {ratio: {of: a, to: 3}}",
        "    value: {}",
        "    value: {mean: a, ratio: {of: a, to: b}}",
        "    value: [a]",
    ],
    3: ["    better: higer", "    better: yes", "    better: 1", "    betterer: higher"],
    4: [
        "    weight: abc",
        "    weight: 1_000",
        "    weight: .nan",
        "    weight: 'NaN'",
        "    weight: 1e999",
        "    weight: {a: b}",
        "    weigth: 40",
    ],
    5: ["    critical: no", "    critical: 0", "    critical: 'true'", "    unknown_thing: [1]"],
    6: ["    corners: [[floor, x], [95, 100]]", "    corners: [[floor], [95, 100]]", "    corners: [3, [95, 100]]", "    corners: floor"],
    8: [
        "      - {floor: 90}",
        "      - [93]",
        "      - {target: 93, from: 2026-02-30}",
        "      - {target: Infinity}",
        "      - {target: 9, from: 2026-03-01, until: 2026-03-01}",
    ],
    9: ["      - {target: 95, <<: {a: b}}", "      - {target: 95, target: 96}", "      - {target: 95, [a]: 96}", "      - 95"],
}


@st.composite
def documents_with_faults(draw: st.DrawFn) -> tuple[str, list[int]]:
    lines = ["contract: IB", "kpis:"]
    expected: list[int] = []
    for i in range(draw(st.integers(1, 4))):
        for n, line in enumerate(KPI):
            if n in FAULTS and draw(st.booleans()):
                lines += draw(st.sampled_from(FAULTS[n])).splitlines()
                expected.append(len(lines))
            else:
                lines.append(line.format(i=i))
    return "\n".join(lines), expected


@given(documents_with_faults())
def test_as_many_findings_as_faults_each_on_its_line(case: tuple[str, list[int]]) -> None:
    text, expected = case
    reading = read(text, Contract)
    assert [finding.line for finding in reading.findings] == expected, render(reading.findings)
    assert all(finding.message and finding.path.startswith("$") for finding in reading.findings)
    assert (reading.document is None) == bool(expected)


SNIPPETS = [
    "a: ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    ": ",
    "? ",
    "\n",
    "\n  ",
    "\t",
    "&a ",
    "*a",
    "!t ",
    "<<: ",
    "'",
    '"',
    "|\n",
    ">\n",
    "#",
    "---",
    "...",
]
SNIPPETS += [
    "%YAML 1.2\n",
    "contract: ",
    "kpis:\n",
    "levels: ",
    ".nan",
    "1e9",
    "\\u0000",
    "\x85",
    "\ufeff",
    "\ud800",
    "é",
    "😀",
    "null",
    "`",
    "@",
    "\x00",
]


def a_reading_is_whole(data: bytes | str) -> None:
    for type_ in (Contract, Figures, dict[str, Any], list[Kpi]):
        for name in ("", "a.json"):
            reading: Reading[Any] = read(data, type_, name=name)
            assert (reading.document is None) == has_errors(reading.findings)
            render(reading.findings).encode()
            for finding in reading.findings:
                assert reading.at(finding.path) >= (0, 0)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_findings_and_never_a_traceback(data: bytes) -> None:
    a_reading_is_whole(data)


@given(st.lists(st.sampled_from(SNIPPETS), max_size=30).map("".join))
def test_arbitrary_pieces_of_yaml_are_findings_and_never_a_traceback(text: str) -> None:
    a_reading_is_whole(text)


@given(st.data())
def test_a_damaged_contract_is_findings_and_never_a_traceback(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(TEN_FAULTS)))
    a_reading_is_whole(TEN_FAULTS[:at] + data.draw(st.sampled_from(SNIPPETS)) + TEN_FAULTS[at + data.draw(st.integers(0, 5)) :])


# Writing


AWKWARD = [
    "",
    " ",
    "a ",
    " a",
    "NO",
    "no",
    "null",
    "~",
    "true",
    "5",
    "5.0",
    ".5",
    "1e3",
    "007",
    "-",
    "- a",
    "a: b",
    "a:",
    ":a",
    "a #b",
    "#a",
    "[a]",
    "{a}",
    "a, b",
]
AWKWARD += [
    "'",
    '"',
    "it's",
    "a\nb",
    "a\nb\n",
    "a\n\nb\n\n",
    "\na",
    "a\n b",
    " a\nb",
    "a\n",
    "a\tb",
    "\t",
    "*a",
    "&a",
    "!a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "?",
    "? a",
]
AWKWARD += [
    "---",
    "...",
    "<<",
    "=",
    "2026-03-01",
    "7:00",
    "é",
    "日本",
    "😀",
    "\u202e",
    "\u200d",
    "a\\b",
    "a\r\nb",
    "x" * 200,
    "Ab " * 80,
    ".nan",
    "9" * 60,
]

texts = st.sampled_from(AWKWARD) | printable
odd_decimals = st.sampled_from([Decimal("1E+5"), Decimal("80.10"), Decimal("-0")])
decimals = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=6) | odd_decimals
days = st.dates()
values = st.builds(Ratio, ratio=st.builds(Side, of=texts, to=texts)) | st.builds(Mean, mean=texts, weighted_by=st.none() | texts)


def is_no_number(text: str) -> bool:
    return not nodes.is_number_in_disguise(text)


marks = decimals | texts.filter(is_no_number)
anything = st.recursive(
    texts | st.booleans() | st.integers(-(10**9), 10**9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)
kpis = st.builds(
    Kpi,
    title=texts,
    value=values,
    better=st.sampled_from(["higher", "lower"]),
    weight=st.decimals(0, 100, places=2),
    count=st.integers(1, 100),
    critical=st.booleans(),
    colour=st.sampled_from(Colour),
    levels=st.lists(st.builds(Level, from_=st.none() | days, floor=st.none() | decimals, target=decimals), max_size=3),
    corners=st.lists(st.builds(Corner, marks, decimals), max_size=3),
    curve=st.none() | st.builds(Fixed, amount=decimals) | st.builds(Line, corners=st.lists(st.tuples(marks, decimals), max_size=3)),
    tags=st.frozensets(texts, max_size=3),
)
contracts = st.builds(
    Contract,
    contract=texts.filter(lambda text: 1 <= len(text) <= 40),
    country=texts,
    opens_at=st.times(),
    seen_at=st.none() | st.datetimes(timezones=st.just(dt.UTC)),
    id=st.none() | st.uuids(),
    holidays=st.dictionaries(days, texts, max_size=3),
    kpis=st.dictionaries(texts, kpis, max_size=3),
    extra=st.none() | anything,
)


@settings(max_examples=150)
@given(contracts)
def test_what_is_written_reads_as_the_same_document_and_is_written_the_same_again(contract: Contract) -> None:
    written = write(contract)
    again = document(written, Contract)
    assert again == contract, written.decode()
    assert write(again) == written


@given(texts)
@example("a\n\n\n")
def test_any_text_survives_at_any_place(text: str) -> None:
    places = {"last": text, "list": [text, "b", text], "deep": [{"k": [text], "l": text}, [[text]]], text or "empty": "key"}
    assert document(write(places), dict[str, Any]) == places


@settings(max_examples=50)
@given(contracts)
def test_a_document_stored_as_json_reads_as_the_same_document(contract: Contract) -> None:
    stored = msgspec.json.Encoder(decimal_format="number").encode(contract)
    assert document(stored, Contract, name="a.json") == contract


def test_a_document_is_written_the_way_people_would() -> None:
    kpi = Kpi(
        title="Decision accuracy: audited",
        value=Ratio(ratio=Side(of="correct", to="audited")),
        weight=Decimal("40.50"),
        levels=[Level(from_=dt.date(2026, 3, 1), floor=Decimal(90), target=Decimal("93.5"))],
        corners=[Corner("floor", Decimal(0)), Corner(Decimal(95), Decimal(100))],
        curve=Fixed(amount=Decimal("1E+3")),
        tags=frozenset(["b", "a"]),
    )
    contract = Contract(contract="IB-2026-03", country="NO", opens_at=dt.time(7), kpis={"accuracy": kpi}, extra="Two lines\nof remarks.\n")
    assert write(contract).decode() == (
        "contract: IB-2026-03\n"
        "country: NO\n"
        "opens_at: 07:00\n"
        "kpis:\n"
        "  accuracy:\n"
        "    title: 'Decision accuracy: audited'\n"
        "    value:\n"
        "      ratio:\n"
        "        of: correct\n"
        "        to: audited\n"
        "    weight: 40.50\n"
        "    levels:\n"
        "      - {from: 2026-03-01, floor: 90, target: 93.5}\n"
        "    corners: [[floor, 0], [95, 100]]\n"
        "    curve:\n"
        "      kind: fixed\n"
        "      amount: 1000\n"
        "    tags: [a, b]\n"
        "extra: |\n"
        "  Two lines\n"
        "  of remarks.\n"
    )


def test_only_what_reads_as_the_default_is_left_out() -> None:
    class Loose(Part, frozen=True, kw_only=True):
        anything: Any = 1

    assert write(Loose()) == b"{}\n"
    assert write(Loose(anything=True)) == b"anything: true\n"
    assert document("{}", Loose) == Loose()


@pytest.mark.parametrize("number", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+50"), float("nan")])
def test_a_number_that_could_not_be_read_back_is_not_written(number: Decimal) -> None:
    with pytest.raises(TypeError, match="no document holds the number"):
        write({"figure": number})


def test_a_type_that_no_document_can_hold_is_said_at_once() -> None:
    with pytest.raises(TypeError, match="a document cannot hold <class 'bytes'>"):
        read("a: b", dict[str, bytes])
