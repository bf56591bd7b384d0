"""A vendor's rows in our words: code lists with validity, numbers as people write them, exactness."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt.intake.mapping import Known, KnownMeasure, KnownSite, Mapped, Mapper
from vendor_mgmt.intake.source import Source

TODAY = date(2026, 11, 20)
KNOWN = Known(
    sites={"lisbon-1": KnownSite(id=1, today=TODAY), "porto-2": KnownSite(id=2, today=TODAY)},
    measures={
        "share": KnownMeasure(is_given=True),
        "audited": KnownMeasure(),
        "correct": KnownMeasure(part_of="audited"),
        "invoice": KnownMeasure(is_money=True),
    },
)


def source(**changed: Any) -> Source:
    mapping = {
        "site": {"column": "site"},
        "span": {"starts_on": {"column": "day"}},
        "measure": {"column": "measure"},
        "value": {"column": "value"} | changed.pop("value", {}),
    } | changed.pop("mapping", {})
    document = {"source": "s", "owner": "o", "reader": {"type": "csv", "folder": "in"}, "mapping": mapping} | changed
    return msgspec.convert(document, Source)


def mapped(document: Source, *rows: dict[str, Any]) -> Mapped:
    return Mapper(document, KNOWN).map([tuple(row.get(name) for name in document.kept_columns) for row in rows], 1)


def row(value: Any = 10, **changed: Any) -> dict[str, Any]:
    return {"site": "lisbon-1", "day": "2026-03-01", "measure": "audited", "value": value} | changed


def value_of(value: Any, **number: Any) -> Decimal | None:
    """The value that would be stored."""
    found = mapped(source(value=number), row(value))
    assert found.refused == []
    ((_, line),) = found.staged
    text = line.split("\t")[4]
    return None if text == "\\N" else Decimal(text)


def test_a_percentage_is_a_reported_value_and_no_count() -> None:
    percent = {"decimal": ","}
    ((_, line),) = mapped(source(value=percent), row("93,4 %", measure="share")).staged
    assert line.split("\t")[4] == "93.4"
    (refusal,) = mapped(source(value=percent), row("93,4 %")).refused
    assert (refusal.check, "is a percentage and no count" in refusal.reason) == ("bad_value", True)


@pytest.mark.parametrize(
    ("written", "number", "meant"),
    [
        ("1,234.5", {}, "1234.5"),
        ("1,234", {}, "1234"),
        ("1.234,5", {"decimal": ","}, "1234.5"),
        ("1.234", {"decimal": ","}, "1234"),
        ("1.234", {}, "1.234"),
        ("0,5", {"decimal": ","}, "0.5"),
        ("1 234", {}, "1234"),
        ("1\u202f234,5", {"decimal": ","}, "1234.5"),
        ("1’234.5", {}, "1234.5"),
        ("  7 ", {}, "7"),
        ("007", {}, "7"),
        (".5", {}, "0.5"),
        ("1e3", {}, "1000"),
        (Decimal("0.10"), {}, "0.10"),
        ("0.934", {"scale": Decimal(100)}, "93.400"),
        (90, {"scale": Decimal("0.01")}, "0.90"),
        ("n/a", {}, None),
        ("", {}, None),
        ("k. A.", {"missing": ["k. A."]}, None),
    ],
)
def test_numbers_are_read_as_people_write_them(written: Any, number: dict[str, Any], meant: str | None) -> None:
    assert value_of(written, **number) == (None if meant is None else Decimal(meant))


@pytest.mark.parametrize(
    "written", ["abc", "1,2,3", "12,34", "NaN", "Infinity", "1e999", "--5", "1.2.3", "٣", True, [1], {"a": 1}, "1" * 100]
)
def test_what_is_no_number_is_refused_and_quoted(written: Any) -> None:
    found = mapped(source(), row(written))
    assert found.staged == []
    (refusal,) = found.refused
    assert refusal.check == "bad_value"
    assert refusal.raw_row["value"] == written


def test_dimensions_separate_series_and_an_empty_one_does_not_split() -> None:
    document = source(mapping={"dimensions": {"language": {"column": "language"}, "market": {"constant": "iberia"}}})
    mapper = Mapper(document, KNOWN)
    columns = document.kept_columns
    mapper.map([tuple((row() | {"language": language}).get(name) for name in columns) for language in ("pt", "es", "", None)], 1)
    assert [key.dims_key for key in mapper.series] == [
        '{"language":"pt","market":"iberia"}',
        '{"language":"es","market":"iberia"}',
        '{"market":"iberia"}',
    ]


CODES = {
    "sites": [
        {"theirs": "LX", "ours": "lisbon-1", "until": "2026-06-01"},
        {"theirs": "LX", "ours": "porto-2", "from": "2026-06-01"},
    ]
}


@pytest.mark.parametrize(("day", "site"), [("2026-05-31", 1), ("2026-06-01", 2)])
def test_a_code_means_what_it_meant_on_the_day_of_the_row(day: str, site: int) -> None:
    document = source(mapping={"site": {"column": "site", "codes": "sites"}}, codes=CODES)
    mapper = Mapper(document, KNOWN)
    rows = [row(site="LX", day="2026-05-01"), row(site="LX", day=day)]
    found = mapper.map([tuple(one.get(name) for name in document.kept_columns) for one in rows], 1)
    assert found.refused == []
    assert mapper.series[found.staged[1][0]].site == site


def test_a_code_that_had_ended_is_refused_with_its_day() -> None:
    codes = {"sites": [CODES["sites"][0]]}
    (refusal,) = mapped(
        source(mapping={"site": {"column": "site", "codes": "sites"}}, codes=codes), row(site="LX", day="2026-07-01")
    ).refused
    assert refusal.reason == "The code list `sites` does not translate 'LX' on 2026-07-01; add it there."


def test_todays_row_is_taken_and_tomorrows_is_not() -> None:
    found = mapped(source(), row(day="2026-11-20"), row(day="2026-11-21"))
    assert (len(found.staged), [refusal.check for refusal in found.refused]) == (1, ["future"])


def test_a_charge_may_be_a_credit_note_and_a_count_may_not() -> None:
    found = mapped(source(), row(-5, measure="invoice"), row(-5))
    assert (len(found.staged), [refusal.check for refusal in found.refused]) == (1, ["negative"])


def test_a_span_shorter_than_a_day_keeps_its_moment() -> None:
    document = source(mapping={"span": {"starts_at": {"column": "day", "zone": "Europe/Lisbon"}, "grain": "30m"}})
    found = mapped(document, row(day="2026-07-01 09:30"), row(day="2026-07-01T09:30:00+05:30"))
    assert [line.split("\t")[3] for _, line in found.staged] == ["2026-07-01T09:30:00+01:00", "2026-07-01T09:30:00+05:30"]


def test_a_mapping_that_cannot_work_is_refused_when_it_is_read() -> None:
    faults: list[tuple[dict[str, Any], str]] = [
        ({"columns": ["site"]}, "does not list"),
        ({"mapping": {"site": {"column": "site", "codes": "nowhere"}}}, "no code list"),
        ({"mapping": {"span": {"starts_on": {"column": "day"}, "grain": "hour"}}}, "does not go with"),
        ({"reader": {"type": "http_json", "url": "https://user:secret@host/"}}, "user name"),
        ({"schedule": {"rule": "FREQ=DAILY", "zone": "Mars/Olympus"}}, "Mars/Olympus"),
    ]
    for wrong, words in faults:
        with pytest.raises(msgspec.ValidationError, match=words):
            source(**wrong)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_no_digit_is_lost_on_the_way_in(number: Decimal) -> None:
    assert value_of(abs(number)) == abs(number)
    assert value_of(f"{abs(number):f}") == abs(number)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "site": anything | st.just("lisbon-1"),
                "day": anything | st.just("2026-03-01"),
                "measure": anything | st.just("audited"),
                "value": anything,
            }
        ),
        max_size=10,
    )
)
def test_whatever_comes_is_either_staged_in_a_form_the_database_can_read_or_refused(rows: list[dict[str, Any]]) -> None:
    found = mapped(source(), *rows)
    staged = {int(line.rstrip("\n").split("\t")[7]) for _, line in found.staged}
    assert staged.isdisjoint(refusal.row_number for refusal in found.refused)
    assert len(found.staged) + len(found.refused) == len(rows)
    for _, line in found.staged:
        fields = line.removesuffix("\n").split("\t")
        assert len(fields) == 8
        date.fromisoformat(fields[2])
        assert fields[4] == "\\N" or Decimal(fields[4]).is_finite()
