from __future__ import annotations

import hashlib
import io
import itertools
import logging
import os
import re
import string
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pypdf
import pytest
from msgspec import structs
from weasyprint import HTML
from weasyprint.formatting_structure import boxes
from weasyprint.text.fonts import FontConfiguration

from scorecards import formats, page, pdf, wording
from scorecards.page import Edition
from scorecards.pdf import Paper, render_pdf
from scorecards.scorecard import KpiResult, ReliefUse, Scorecard
from scorecards.wording import LANGUAGES, Language, Words
from tests.scorecards import scorecard_builders as builders
from tests.scorecards.scorecard_builders import BAD_INPUT, STORIES, D, kpi, scorecard, trend

ALL = {**STORIES, **BAD_INPUT}
every_scorecard = pytest.mark.parametrize("build", ALL.values(), ids=ALL.keys())


kept: dict[tuple[str, str], bytes] = {}


def rendered(card: Scorecard, edition: Edition = "vendor", paper: Paper = "A4", language: Language = "en") -> bytes:
    """`render_pdf`, once for each scorecard, edition, paper and language of this file."""
    key = (page.render_key(card, edition, language, paper), edition)
    if key not in kept:
        kept[key] = render_pdf(card, edition=edition, paper=paper, language=language)
    return kept[key]


def read(written: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(written))


def words_of(card: Scorecard, **given: Any) -> str:
    """The text of the pages, on one line, thin and no-break spaces as plain ones."""
    text = " ".join(sheet.extract_text() for sheet in read(rendered(card, **given)).pages)
    return " ".join(text.replace(formats.THIN, " ").replace(formats.NO_BREAK, " ").split())


def document(card: Scorecard, edition: Edition = "vendor", language: Language = "en") -> page.Document:
    return page.document(page.for_edition(card, edition), edition=edition, words=Words(language), digest="0" * 64)


def html_of(card: Scorecard, edition: Edition = "vendor", language: Language = "en") -> str:
    return pdf.render_html(page.for_edition(card, edition), edition=edition, language=language, digest="0" * 64)


def laid_out(card: Scorecard, paper: Paper = "A4", language: Language = "en") -> Any:
    return HTML(string=html_of(card, language=language), url_fetcher=pdf._FETCHER).render(
        stylesheets=[pdf._stylesheet(pdf.PLAIN.accent), pdf._page_box(paper)], font_config=pdf._font_configuration()
    )


@pytest.fixture(autouse=True)
def no_remark_of_the_renderer(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A stray line in WeasyPrint's log is a fault of ours: a rule it does not know, a font it cannot find, an address it was asked for."""
    with caplog.at_level(logging.WARNING, logger="weasyprint"):
        yield
    assert [record.getMessage() for record in caplog.records if record.name.startswith("weasyprint")] == []


# --- what the file is ---------------------------------------------------------------------------------------------------------


@every_scorecard
def test_every_scorecard_becomes_a_tagged_titled_archive_file_with_its_figures_inside(build: Callable[[], Scorecard]) -> None:
    card = build()
    reader = read(rendered(card))
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/StructTreeRoot"]["/K"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "Scorecard" in str(reader.metadata and reader.metadata.title)
    assert root["/OutputIntents"][0]["/S"] == "/GTS_PDFA1"
    xmp = root["/Metadata"].get_data().decode()
    assert 'pdfaid:part="3"' in xmp
    assert 'pdfaid:conformance="A"' in xmp
    [attached] = root["/AF"]
    assert attached["/AFRelationship"] == "/Data"
    assert attached["/UF"] == "scorecard.json"
    assert attached["/EF"]["/F"]["/Subtype"] == "/application/json"
    assert list(reader.attachments) == ["scorecard.json"]
    [inside] = reader.attachments["scorecard.json"]
    assert msgspec.json.decode(inside, type=Scorecard) == msgspec.json.decode(
        page.attached(page.for_edition(card, "vendor")), type=Scorecard
    )


@every_scorecard
def test_every_font_is_embedded_and_every_letter_reads_back(build: Callable[[], Scorecard]) -> None:
    fonts = {}
    for sheet in read(rendered(build())).pages:
        resources: Any = sheet["/Resources"]
        for name, font in resources["/Font"].items():
            fonts[name] = font.get_object()
    assert fonts
    for font in fonts.values():
        assert "/ToUnicode" in font
        if font["/Subtype"] == "/Type3":
            continue  # a bitmap font is drawn by the file itself
        described = font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(described), described["/FontName"]


def test_the_hash_on_each_page_is_that_of_the_attached_figures() -> None:
    reader = read(rendered(builders.collapsing_site()))
    digest = hashlib.sha256(reader.attachments["scorecard.json"][0]).hexdigest()
    for number, sheet in enumerate(reader.pages, 1):
        text = sheet.extract_text()
        assert digest in text
        assert f"Page {number} of {len(reader.pages)}" in text
        assert "HARBOUR-2026-032 revision 1" in text


def test_the_same_scorecard_gives_the_same_bytes_in_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    script = (
        "import sys; from scorecards.pdf import render_pdf; from tests.scorecards.scorecard_builders import relief_month, good_site;"
        "render_pdf(good_site()) if sys.argv[1] == '1' else None; sys.stdout.buffer.write(render_pdf(relief_month()))"
    )
    written = [
        subprocess.run(
            [sys.executable, "-c", script, seed],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path), "TZ": zone},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Manila"))
    ]
    assert written[0] == written[1]
    assert written[0] == render_pdf(builders.relief_month())


@pytest.mark.parametrize(("paper", "size"), [("A4", (595.28, 841.89)), ("Letter", (612, 792))])
def test_pages_are_a4_or_letter(paper: Paper, size: tuple[float, float]) -> None:
    for sheet in read(rendered(builders.tiny_site(), paper=paper)).pages:
        assert (float(sheet.mediabox.width), float(sheet.mediabox.height)) == pytest.approx(size, abs=0.1)


def test_a_pale_accent_is_refused_and_a_dark_one_is_used() -> None:
    with pytest.raises(ValueError, match="too pale"):
        pdf.Branding(accent="#ffdd00")
    with pytest.raises(ValueError, match="#rrggbb"):
        pdf.Branding(accent="red; } body { display: none")
    plain, branded = render_pdf(builders.tiny_site()), render_pdf(builders.tiny_site(), branding=pdf.Branding(accent="#6a1b4d"))
    assert plain != branded


def test_every_text_colour_reads_on_white_and_on_the_tint() -> None:
    tokens = dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{6});", (pdf.TEMPLATES / "tokens.css").read_text()))
    for name in ("accent", "ink", "muted", "bad", "good"):
        assert pdf.contrast_on_white(tokens[name]) >= 4.5, name
        assert pdf.contrast_on_white(tokens[name]) / pdf.contrast_on_white(tokens["tint"]) >= 4.5, name


# --- nothing leaves its box -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("paper", ["A4", "Letter"])
@every_scorecard
def test_no_text_leaves_its_page_or_its_cell(build: Callable[[], Scorecard], paper: Paper) -> None:
    assert escapes(laid_out(build(), paper)) == []


def escapes(drawn: Any) -> list[str]:
    """Texts and drawings that stick out of their table cell or of the page's area, by a pixel sideways or two up and down.

    A font's own box may be taller than the line it stands in, without any ink outside.
    """
    found = []
    for number, sheet in enumerate(drawn.pages, 1):
        box = sheet._page_box
        area = (box.content_box_x(), 0.0, box.content_box_x() + box.width, box.margin_height())

        def visit(inner: Any, cell: tuple[float, float, float, float], number: int = number) -> None:
            inner = getattr(inner, "_box", inner)
            if inner.element is not None and getattr(inner.element, "attrib", {}).get("id") == "watermark":
                return
            if isinstance(inner, boxes.TableCellBox):
                x, y = inner.border_box_x(), inner.border_box_y()
                cell = (x, y, x + inner.border_width(), y + inner.border_height())
            if isinstance(inner, boxes.TextBox | boxes.ReplacedBox) and not is_within(inner, cell):
                found.append(
                    f"page {number}: {getattr(inner, 'text', 'drawing')!r} at {inner.position_x:.0f}, {inner.position_y:.0f}, "
                    f"size {inner.width:.0f} × {inner.height:.0f}, cell {cell}"
                )
            for child in getattr(inner, "children", ()):
                visit(child, cell)

        visit(box, area)
    return found


def is_within(box: Any, cell: tuple[float, float, float, float]) -> bool:
    left, top, right, bottom = cell
    is_beside = box.position_x >= left - 1 and box.position_x + box.width <= right + 1
    return bool(is_beside and box.position_y >= top - 2 and box.position_y + box.height <= bottom + 2)


@pytest.mark.parametrize("language", LANGUAGES)
@every_scorecard
def test_the_verdict_is_one_page_and_the_kpis_begin_on_the_second(build: Callable[[], Scorecard], language: Language) -> None:
    card = build()
    heading = Words(language)("changes.title", revision=card.revision) if card.revises is not None else Words(language)("section.table")
    pages = [" ".join(text for text in texts_of(sheet._page_box)) for sheet in laid_out(card, language=language).pages]
    assert heading in " ".join(pages[1].split()[:40])
    for number, text in enumerate(pages, 1):
        assert len(text) > 500, f"page {number} is nearly empty: {text}"


@pytest.mark.parametrize("language", LANGUAGES)
@every_scorecard
def test_no_figure_is_broken_over_two_lines(build: Callable[[], Scorecard], language: Language) -> None:
    assert broken_figures(laid_out(build(), language=language)) == []


def texts_of(box: Any) -> Iterator[str]:
    box = getattr(box, "_box", box)
    if isinstance(box, boxes.TextBox):
        yield box.text
    for child in getattr(box, "children", ()):
        yield from texts_of(child)


def broken_figures(drawn: Any) -> list[str]:
    """Figures of which a part stands in the next line; fingerprints, which are longer than any cell, are none."""
    found = []

    def visit(box: Any) -> None:
        box = getattr(box, "_box", box)
        lines = [child for child in getattr(box, "children", ()) if isinstance(child, boxes.LineBox)]
        whole = "".join(box.element.itertext()) if lines and box.element is not None else ""
        for before, after in itertools.pairwise(lines):
            end, start = "".join(texts_of(before)), "".join(texts_of(after))
            tail, head = re.search(r"[\d.,]*\d[.,]?$", end), re.match(r"[.,]?\d[\d.,]*", start)
            if tail and head and tail[0] + head[0] in whole and not re.search(r"[0-9a-f]{64}", whole):
                found.append(f"{end} | {start}")
        for child in getattr(box, "children", ()):
            visit(child)

    for sheet in drawn.pages:
        visit(sheet._page_box)
    return found


def test_the_check_itself_finds_a_broken_figure() -> None:
    drawn = HTML(string="<p style='width:40px;overflow-wrap:anywhere'>1,234,567,890,123").render()
    assert broken_figures(drawn) != []


@pytest.mark.parametrize("build", [builders.collapsing_site, builders.hostile_names, builders.huge_amounts])
def test_on_a_machine_without_the_shipped_fonts_everything_still_fits(
    build: Callable[[], Scorecard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "FONTS", Path("/nowhere"))
    fonts = FontConfiguration()
    monkeypatch.setattr(pdf, "_font_configuration", lambda: fonts)
    monkeypatch.setattr(pdf, "_stylesheet", pdf._stylesheet.__wrapped__)
    monkeypatch.setattr(pdf, "_page_box", pdf._page_box.__wrapped__)
    drawn = laid_out(build())
    assert escapes(drawn) == []
    assert b"Source-Sans" not in drawn.write_pdf(uncompressed_pdf=True)


def test_the_check_itself_finds_a_text_that_sticks_out() -> None:
    drawn = HTML(string="<table style='table-layout:fixed;width:60px'><td>abcdefghijklmnopqrstuvwxyzabcdefghijklm<td>x</table>").render()
    assert escapes(drawn) != []


# --- what the page says ---------------------------------------------------------------------------------------------------------


def test_the_first_page_is_the_verdict() -> None:
    first = " ".join(
        read(rendered(builders.collapsing_site())).pages[0].extract_text().replace(formats.THIN, " ").replace(formats.NO_BREAK, " ").split()
    )
    for said in (
        "Harbour Customer Experience",
        "Manila Bay 1",
        "September 2026",
        "MSA-2024-17",
        "2 (in force from 1 January 2026)",
        "3 Oct 2026, 06:15 Asia/Manila",
        "The score fell by 21.5 to 57.4. 3 of 10 KPIs were missed.",
        "Inadequate",
        "3 falls in a row",
        "Decision accuracy",
        "PHP 126,420.00",
        "PHP 162,540.00",
        "Answer escalation ESC-HARBOUR-014 by 9 Oct 2026, 17:00.",
        "94.996 %",
        "DRAFT",
    ):
        assert said in first, said


def test_a_kpi_row_names_target_actual_variance_level_weight_streak_and_source() -> None:
    row = next(r for g in table_of(builders.collapsing_site()).groups for r in g.rows if r.title == "Decision accuracy")
    assert [plain(text) for text in (row.target, row.actual, row.variance)] == ["≥ 95 %", "88.30 %", "−6.7 pp"]
    assert (row.mark.sign, row.mark.word) == ("✗", "below floor")
    assert (row.score, row.weight, row.points, row.streak) == ("0", "25", "6", "2 missed")
    assert row.source == "Harbour reporting API"
    assert row.as_of == "3 Oct, 06:15"
    assert row.is_critical


def table_of(card: Scorecard) -> page.Table:
    table = document(card).table
    assert table is not None
    return table


def plain(text: str) -> str:
    return text.replace(formats.THIN, " ").replace(formats.NO_BREAK, " ")


@pytest.mark.parametrize(
    ("status", "sign", "word"),
    [
        ("no_data", "○", "no data"),
        ("no_volume", "□", "no volume"),
        ("not_measured", "△", "sample too small"),
        ("accumulating", "…", "sample carried on"),
        ("relieved", "◆", "relieved"),
    ],
)
def test_what_was_not_judged_is_a_word_with_a_sign_and_never_a_nought(status: Any, sign: str, word: str) -> None:
    result = kpi("accuracy", None, status=status, title="Decision accuracy", numerator=None, denominator=None)
    [group] = table_of(scorecard([result, kpi("hours", "99")])).groups
    row = group.rows[0]
    assert (row.mark.sign, row.mark.word) == (sign, word)
    assert (row.actual, row.variance, row.score, row.weight) == ("–", "–", "–", "–")
    assert f"{sign} {word}: Decision accuracy" in document(scorecard([result])).verdict.unjudged


def test_a_value_below_the_minimum_sample_is_not_printed_as_an_actual() -> None:
    row = table_of(builders.tiny_site()).groups[0].rows[0]
    assert row.actual == "–"
    assert row.actual_note == "n 34"


def test_a_handed_on_weight_shows_the_agreed_one() -> None:
    row = table_of(builders.missing_feed()).groups[0].rows[0]
    assert (row.weight, row.weight_note) == ("31.25", "25, raised")


def test_a_weight_shared_by_workstreams_says_among_how_many() -> None:
    rows = [row for group in table_of(builders.silent_workstream()).groups for row in group.rows]
    assert [(row.weight, row.weight_note) for row in rows if row.title == "Decision accuracy"] == [
        ("20", "25 ÷ 2, raised"),
        ("–", ""),
    ]
    shared = [kpi("accuracy", "96", weight=D(25), weight_used=D("12.5"), dimensions={"workstream": part}) for part in ("a-team", "b-team")]
    assert [row.weight_note for group in table_of(scorecard(shared)).groups for row in group.rows] == ["25 ÷ 2"] * 2


def test_kpis_of_several_workstreams_stand_under_the_workstreams_names() -> None:
    groups = table_of(builders.silent_workstream()).groups
    assert [(group.name, [row.title for row in group.rows]) for group in groups] == [
        ("Content moderation", ["Decision accuracy", "Decided in time"]),
        ("Live-stream moderation", ["Decision accuracy", "Decided in time"]),
    ]


# --- a feed that fell silent is seen --------------------------------------------------------------------------------------------


def test_a_workstream_whose_data_stopped_is_named_in_the_headline_and_first_among_what_changed() -> None:
    verdict = document(builders.silent_workstream()).verdict
    assert verdict.headline.startswith(
        "The score rose by 2.0 to 100. Live-stream moderation is not in it: its data are missing. 2 of 4 KPIs were met, none was missed."
    )
    assert (verdict.movers[0].title, verdict.movers[0].change) == ("Live-stream moderation", "no data")
    assert verdict.movers[0].values == "2 KPIs were judged in the period before"
    assert verdict.unjudged == ["○ no data: Live-stream moderation (all 2 KPIs)"]


@pytest.mark.parametrize(
    ("edition", "verb"), [("vendor", "Deliver the data missing for"), ("client", "Chase the data missing for")]
)
def test_missing_data_are_asked_for_with_the_day_they_stopped_and_the_open_escalation(edition: Edition, verb: str) -> None:
    asks = document(builders.silent_workstream(), edition).verdict.asks
    assert asks[0] == (
        f"{verb} Live-stream moderation: 3 measures, nothing after 10 Sep 2026. "
        "Escalation HARBOUR-T0007 is open for it, due 9 Oct 2026, 17:00."
    )
    # The escalation is not asked for a second time.
    assert sum("HARBOUR-T0007" in ask for ask in asks) == 1


def test_missing_data_stand_first_in_the_block_on_data_with_their_last_day() -> None:
    quality = document(builders.silent_workstream()).quality
    first = quality.feeds[0]
    assert (first.measure, first.reaches, first.missing, first.tone) == (
        "Live-stream moderation: 3 measures, incomplete",
        "last day with data: 10 Sep 2026",
        "60",
        "bad",
    )
    assert quality.feeds[1].measure == "Content moderation: 3 measures, complete"
    assert "3 of 6 feeds" in quality.summary


def test_a_feed_of_another_workstream_is_not_the_source_of_a_figure() -> None:
    rows = [row for group in table_of(builders.silent_workstream()).groups for row in group.rows]
    assert [row.as_of for row in rows[:2]] == ["3 Oct, 06:15", "3 Oct, 06:15"]
    assert [row.as_of for row in rows[2:]] == ["11 Sep, 06:15", "11 Sep, 06:15"]


def test_an_escalation_whose_kpi_has_recovered_says_so() -> None:
    note = structs.replace(builders.silent_workstream().tickets[0], recovered=True)
    card = scorecard([kpi("accuracy", "97")], tickets=[note])
    assert document(card).tickets[0].state == "recovered, to be closed"
    assert "HARBOUR-T0007: the KPI has recovered" in " ".join(document(card).verdict.asks)


def test_a_figure_typed_in_is_told_from_one_that_was_pulled() -> None:
    rows = {r.title: r for g in table_of(builders.missing_feed()).groups for r in g.rows}
    assert rows["Hours delivered against required"].source == "typed in"
    assert rows["Calls abandoned"].as_of == "never delivered"
    assert "typed in by a person" in words_of(builders.missing_feed())


def test_movers_are_points_of_the_score_the_largest_first() -> None:
    movers = document(builders.collapsing_site()).verdict.movers
    assert [(mover.title, mover.change) for mover in movers[:2]] == [("Decision accuracy", "−7.5"), ("Leakage in passed items", "−6.4")]


def test_misses_come_in_the_order_of_what_they_cost() -> None:
    misses = document(builders.collapsing_site()).verdict.misses
    assert [(miss.title, miss.cost) for miss in misses] == [
        ("Decision accuracy", "−25.0"),
        ("Leakage in passed items", "−12.0"),
        ("Decided within 24 hours", "−5.6"),
    ]


def test_money_shows_each_step_the_cap_and_the_total() -> None:
    text = words_of(builders.over_cap_month())
    assert "Service credit calculation, not an invoice or tax document" in text
    for said in (
        "Annex 3, 3.1",
        "PHP 90,300.00",
        "PHP −42,140.00",
        "Credit before caps PHP 186,620.00",
        "Net to the customer PHP 144,480.00",
        "monthly invoice = PHP 1,204,000.00",
    ):
        assert said in text, said


def test_a_bonus_is_told_in_the_vendors_favour() -> None:
    text = words_of(builders.good_site())
    assert "Net to the vendor PHP 48,160.00" in text
    assert "Agree or dispute the calculated bonus of PHP 48,160.00." in text


def test_service_points_are_not_printed_as_money() -> None:
    money = document(builders.collapsing_site()).money
    assert money is not None
    assert [plain(line.amount) for line in money.lines[:3]] == ["3 points", "6 points", "PHP 72,240.00"]


def test_relief_granted_and_refused_stand_beside_the_score_without_it() -> None:
    text = words_of(builders.relief_month())
    for said in (
        "✓ approved",
        "✗ refused",
        "… waiting",
        "Clause 12.2",
        "100.0 without relief 92.1",
        "96.40 % without relief 91.70 %",
        "14 to 16 Sep 2026",
        "every KPI",
    ):
        assert said in text, said


def test_a_miss_in_a_sample_says_whether_it_is_beyond_chance() -> None:
    inside = kpi("accuracy", "94.2", interval=(D("92.9"), D("95.3")), denominator=D(1310))
    outside = kpi("accuracy", "90.2", interval=(D("88.4"), D("91.7")), denominator=D(1310))
    assert "chance alone may explain the miss" in words_of(scorecard([inside]))
    assert "the miss is beyond chance" in words_of(scorecard([outside]))


def test_the_first_page_says_of_each_sampled_miss_whether_it_is_beyond_chance() -> None:
    inside = kpi("accuracy", "94.2", interval=(D("92.9"), D("95.3")), denominator=D(1310))
    outside = kpi("leakage", "2.9", "1", better="lower", interval=(D("2.1"), D("3.9")), denominator=D(1310))
    counted = kpi("turnaround", "90")
    misses = {one.title: one.chance for one in document(scorecard([inside, outside, counted])).verdict.misses}
    assert misses == {"Accuracy": "chance may explain it", "Leakage": "beyond chance", "Turnaround": ""}


def test_an_earlier_sample_has_the_interval_of_its_counts() -> None:
    [point] = trend(["94"])
    low, high = page._interval(structs.replace(point, cases=D(200))) or (D(0), D(0))
    # 188 of 200: Wilson's interval runs from 89.8 to 96.5.
    assert (round(low, 1), round(high, 1)) == (D("89.8"), D("96.5"))
    assert page._interval(point) is None
    assert page._interval(structs.replace(point, cases=D(200), status="not_measured")) is None


def test_a_panel_sets_the_value_beside_the_period_before_and_the_year_before() -> None:
    panel = next(one for one in document(builders.good_site()).panels if one.title == "Decision accuracy")
    facts = {fact.label: plain(fact.value) for fact in panel.facts}
    points = builders.good_site().trends["accuracy"]
    assert facts["Previous period"] == f"{points[-2].value:.2f} %"
    assert facts["A year ago"] == f"{points[0].value:.2f} %"


def test_the_appendix_fills_the_formula_with_its_counts() -> None:
    text = words_of(builders.collapsing_site())
    assert (
        "4,353 ÷ 4,930 × 100 = 88.3 %. Compared with the target ≥ 95 %: missed. Score 0 × weight 25 = 0. 30 of 30 days delivered." in text
    )
    assert "divided by the sum of weights, 100: 57.38, rounded to 57.4." in text


def test_a_score_that_is_not_the_mean_says_that_a_rule_of_the_contract_stands_between() -> None:
    assert "another rule of the contract makes it 40.0" in words_of(builders.collapsing_site(score=D(40)))


def test_issued_drafts_and_superseded_are_told_apart() -> None:
    assert document(builders.good_site()).watermark == ""
    assert document(builders.collapsing_site()).watermark == "Draft"
    assert document(builders.good_site(state="superseded")).watermark == "Superseded"


# --- editions -------------------------------------------------------------------------------------------------------------------


def test_rights_that_arose_reach_the_client_and_nobody_else() -> None:
    card = builders.collapsing_site()
    assert "Termination for persistent failure" in words_of(card, edition="client")
    for edition in ("vendor", "site"):
        assert "Termination" not in words_of(card, edition=edition)
        assert b"Termination" not in read(rendered(card, edition=edition)).attachments["scorecard.json"][0]


def test_the_sites_edition_knows_no_money_on_the_page_or_inside() -> None:
    card = builders.over_cap_month()
    assert "PHP" not in words_of(card, edition="site")
    inside = msgspec.json.decode(read(rendered(card, edition="site")).attachments["scorecard.json"][0], type=Scorecard)
    assert inside.lines == []
    assert inside.credit_this_year is inside.money_at_risk is None
    assert all(getattr(total, name) is None for total in inside.totals for name in ("credit", "credit_uncapped", "bonus", "net", "carried"))


def test_each_edition_names_itself() -> None:
    for edition, said in (
        ("vendor", "Vendor edition"),
        ("client", "Client edition, not for the vendor"),
        ("site", "Site edition, without money"),
    ):
        assert said in words_of(builders.tiny_site(), edition=edition)


# --- content that wants out ------------------------------------------------------------------------------------------------------


def test_markup_in_a_name_is_text() -> None:
    html = html_of(builders.hostile_names())
    assert "<img" not in html
    assert "&lt;img src=file:///etc/passwd&gt;" in html
    assert "<b>Ha&rbour</b>" in words_of(builders.hostile_names())


def test_nothing_is_read_but_the_packages_own_fonts() -> None:
    for address in (
        "file:///etc/passwd",
        "http://127.0.0.1/x",
        "https://example.org/a.png",
        "data:text/plain,x",
        "font:../pdf.py",
        "font:/etc/passwd",
    ):
        with pytest.raises(ValueError, match="nothing from outside"):
            pdf._FETCHER.fetch(address)


def test_an_address_that_slipped_into_the_page_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    card = builders.tiny_site()
    html = html_of(card).replace(
        "</body>", '<img src="file:///etc/hostname" alt="x"><link rel=attachment href="file:///etc/hostname"></body>'
    )
    written = pdf.write_pdf(html, card, b"{}")
    assert list(read(written).attachments) == ["scorecard.json"]
    assert any("nothing from outside" in record.getMessage() for record in caplog.records)
    caplog.clear()


def test_names_from_right_to_left_chinese_and_emoji_read_back() -> None:
    text = words_of(builders.hostile_names())
    for said in (builders.CHINESE, "🚢"):
        assert said in text, said
    assert 'dir="rtl">مركز' not in text
    html = html_of(builders.hostile_names())
    assert f'<bdi dir="rtl">{builders.RIGHT_TO_LEFT}</bdi>' in html
    assert "\u202e" not in html


def test_eighty_kpis_are_all_there() -> None:
    text = words_of(builders.many_kpis())
    for index in range(80):
        assert f"Measured promise number {index}" in text


def test_no_kpi_at_all_is_a_sentence() -> None:
    assert "This contract measures nothing at this site in this period." in words_of(builders.no_kpis())


def test_everything_missing_is_said_and_nothing_is_made_up() -> None:
    text = words_of(builders.everything_missing())
    assert "There is no score for this period." in text
    assert "No KPI could be judged." in text
    assert "No score" in text
    assert "Nothing could be judged." in text
    assert "Nothing was missed" not in text
    assert "Contract MSA-2024-17 " in text


def test_one_month_of_history_says_that_the_trend_begins_here() -> None:
    text = words_of(builders.first_month())
    assert "First scored period: 100." in text
    assert "the trend begins here" in text


def test_a_month_without_data_is_a_gap_in_the_trend() -> None:
    points = page._points(trend(["95", None, "96"]), Words("en"))
    assert [point.value for point in points] == [D(95), None, D(96)]


# --- templates, types and words agree --------------------------------------------------------------------------------------------


TEMPLATE = (pdf.TEMPLATES / "scorecard.html").read_text("utf-8")


def test_the_template_shows_every_field_of_the_page() -> None:
    for field in page.Document.__struct_fields__:
        assert re.search(rf"\bd\.{field}\b", TEMPLATE), field
    for field in page.Verdict.__struct_fields__:
        assert re.search(rf"\bv\.{field}\b", TEMPLATE), field


def test_the_template_does_no_arithmetic_and_says_nothing_by_itself() -> None:
    for inner in re.findall(r"\{[{%](.*?)[%}]\}", TEMPLATE, flags=re.DOTALL):
        bare = re.sub(r'"[^"]*"', "", inner)
        assert not re.search(r"[*/+]|\bround\b|\bsum\b|\bformat\b", bare), inner
    text = re.sub(r"\{[{%#].*?[%}#]\}|<[^>]*>", " ", TEMPLATE, flags=re.DOTALL)
    assert not re.search(r"[A-Za-z]{2,}", text), re.findall(r"[A-Za-z]{2,}", text)


def keys_in_source() -> set[str]:
    sources = [
        TEMPLATE,
        *(Path(module.__file__ or "").read_text("utf-8") for module in (page, formats, pdf, pytest.importorskip("scorecards.explaining"))),
    ]
    called = re.findall(r'\b(?:say|words)\("([a-z_0-9.]+)"', "\n".join(sources))
    return set(called)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_that_is_asked_for_exists(language: Language) -> None:
    missing = {key for key in keys_in_source() if key not in wording.MESSAGES[language]}
    assert missing == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_have_the_same_messages_with_the_same_places(language: Language) -> None:
    english, other = wording.MESSAGES["en"], wording.MESSAGES[language]
    assert set(english) == set(other)
    for key, message in english.items():
        assert fields(message) == fields(other[key]), key


def fields(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name}


def test_a_value_left_out_of_a_message_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words("en")("meta.revision")
    with pytest.raises(KeyError):
        Words("en")("no.such.message")


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
@every_scorecard
def test_other_languages_fit_as_well(build: Callable[[], Scorecard], language: Language) -> None:
    assert escapes(laid_out(build(), language=language)) == []


def test_spanish_leaves_no_english_on_the_page() -> None:
    text = words_of(builders.relief_month(), language="es").lower()
    for english in ("score", "target", "missed", "september", "weight", "source", "page ", "decision asked", "credit", "draft"):
        assert not re.search(rf"\b{english}\b", text.replace("scorecard.json", "").replace("scorecard/1", "")), english


# --- arithmetic of the page ------------------------------------------------------------------------------------------------------


def test_losses_add_up_to_what_the_score_lacks() -> None:
    card = builders.collapsing_site()
    losses = [page._loss(result, card.results) for result in card.results]
    mean = sum(((r.score or D(0)) * (r.weight_used or D(0)) for r in card.results), D(0)) / D(100)
    assert sum((loss for loss in losses if loss is not None), D(0)) == D(100) - mean


def test_only_a_claim_still_open_is_asked_about() -> None:
    asks = " ".join(document(builders.relief_month(), "client").verdict.asks)
    assert "Outage of the client’s review tool" in asks
    assert "Typhoon" not in asks


def test_ten_open_points_are_shown_as_four_and_the_rest_counted() -> None:
    claims = [
        ReliefUse(kpi=None, from_=builders.SEPTEMBER, until=builders.OCTOBER, cause=f"Claim {n}", decision="waiting") for n in range(10)
    ]
    asks = document(scorecard([kpi("hours", "99")], relief=claims)).verdict.asks
    assert len(asks) == 5
    assert asks[-1] == "6 more open points, see the sections below."


def result_with(**given: Any) -> KpiResult:
    return structs.replace(kpi("hours", "99"), **given)


def test_a_breakdown_is_a_breakdown_only_beside_its_whole() -> None:
    whole, part = result_with(), result_with(dimensions={"language": "th"})
    assert [len(document(scorecard(results)).breakdowns) for results in ([whole, part], [part])] == [1, 0]
    assert "Hours (th)" in [row.title for group in table_of(scorecard([part])).groups for row in group.rows]


def test_a_score_just_under_a_band_is_not_rounded_into_it() -> None:
    card = scorecard([kpi("hours", "99")], score=D("79.999"), standing="Requires improvement")
    assert document(card).verdict.score == "79.999"


def test_amounts_of_ten_digits_stand_in_full() -> None:
    text = words_of(builders.huge_amounts())
    assert "IDR 14,448,000,000.00" in text
    assert "9,876,543,209 of 9,876,543,210" in text


@pytest.mark.parametrize("value", [Decimal("1E+3"), Decimal("0E-10"), Decimal("-0")])
def test_odd_spellings_of_a_number_are_shown_plainly(value: Decimal) -> None:
    assert formats.number(value, "en") in {"1,000", "0"}
