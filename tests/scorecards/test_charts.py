from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecards import charts
from scorecards.charts import Band, Limit, Point, Step

D = Decimal
values = st.none() | st.decimals(min_value=-(10**9), max_value=10**10, places=3)


@st.composite
def points(draw: st.DrawFn) -> list[Point]:
    made = []
    for index in range(draw(st.integers(min_value=0, max_value=13))):
        value = draw(values)
        spread = draw(st.decimals(min_value=0, max_value=10, places=2)) if value is not None else None
        made.append(
            Point(
                label=f"M{index}",
                value=value,
                target=draw(values),
                met=draw(st.booleans()) if value is not None else None,
                relieved=draw(st.booleans()),
                version=draw(st.sampled_from(["", "1", "2"])),
                low=value - spread if value is not None and spread is not None else None,
                high=value + spread if value is not None and spread is not None else None,
            )
        )
    return made


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  our own drawing


def places(svg: str) -> list[tuple[float, float]]:
    """Every absolute place of the drawing."""
    found = []
    for element in drawn(svg).iter():
        name = element.tag.rpartition("}")[2]
        if name == "rect":
            x, y, w, h = (float(element.get(key, "0")) for key in ("x", "y", "width", "height"))
            found += [(x, y), (x + w, y + h)]
        elif name == "line":
            found += [(float(element.get(f"x{n}", "0")), float(element.get(f"y{n}", "0"))) for n in (1, 2)]
        elif name == "text":
            found.append((float(element.get("x", "0")), float(element.get("y", "0"))))
        elif name == "path":
            found += [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.get("d", ""))]
    return found


def is_inside(svg: str) -> bool:
    width, height = (float(part) for part in drawn(svg).get("viewBox", "").split()[2:])
    return all(-0.01 <= x <= width + 0.01 and -0.01 <= y <= height + 0.01 for x, y in places(svg))


@given(points=points(), limits=st.lists(st.decimals(min_value=-100, max_value=10**6, places=1), max_size=4))
def test_nothing_is_drawn_outside_a_drawing(points: list[Point], limits: list[Decimal]) -> None:
    lines = [Limit(value=value, label="x") for value in limits]
    ticks = [(value, str(value)) for value in charts.grid_values(points, lines)]
    assert is_inside(charts.sparkline(points, "t"))
    assert is_inside(charts.trend(points, "t", limits=lines, target_label="target", ticks=ticks))
    assert is_inside(charts.small_multiple(points, "t", low=D(0), high=D(100)))
    assert is_inside(charts.week([point.value for point in points][:7], "t"))


@given(points=points())
def test_the_same_points_give_the_same_bytes(points: list[Point]) -> None:
    assert charts.trend(points, "t") == charts.trend(list(points), "t")
    assert charts.sparkline(points, "t") == charts.sparkline(list(points), "t")


def test_a_title_is_the_alternative_text_and_is_escaped() -> None:
    svg = charts.sparkline([Point(value=D(1))], "<b>a & b</b>")
    assert drawn(svg)[0].tag.endswith("title")
    assert drawn(svg)[0].text == "<b>a & b</b>"


def test_a_month_without_a_value_breaks_the_line_and_leaves_a_mark() -> None:
    whole = [Point(value=D(n), target=D(3)) for n in range(1, 6)]
    gap = [*whole[:2], Point(value=None, target=D(3)), *whole[3:]]
    lines = re.findall(r'<path d="([^"]*)" fill="none" stroke="#14506e"', charts.sparkline(gap, "t"))
    assert lines[0].count("M") == 2
    assert 'stroke="#5a6672" stroke-width="2.8"' in charts.sparkline(gap, "t")
    assert 'stroke="#5a6672" stroke-width="2.8"' not in charts.sparkline(whole, "t")


def test_a_miss_a_relief_and_a_new_version_are_told_by_form_not_by_colour_alone() -> None:
    plain = [Point(value=D(96), target=D(95), met=True, version="1") for _ in range(4)]
    amended = [*plain[:3], Point(value=D(94), target=D(95), met=False, version="2", relieved=True)]
    before, after = charts.trend(plain, "t"), charts.trend(amended, "t")
    assert 'stroke-dasharray="1.2 1.6"' in after  # the upright of a new version
    assert 'stroke-dasharray="1.2 1.6"' not in before
    assert "#c3cad1" in after  # the hatching of relief
    assert "#c3cad1" not in before
    assert 'stroke-width="4.8"' in after  # a miss is a filled dot
    assert 'stroke-width="4.8"' not in before


def test_the_target_jumps_where_a_version_changes_it() -> None:
    svg = charts.trend([Point(value=D(95), target=D(90)), Point(value=D(95), target=D(95))], "t")
    target = re.findall(r'd="([^"]*)"[^>]*stroke-dasharray="3 2"', svg)[0]
    assert target.count("V") == 1


def test_a_waterfall_starts_each_step_where_the_last_one_ended() -> None:
    bars = charts.waterfall([Step(amount=D(100)), Step(amount=D(50)), Step(amount=D(-30))], ["a", "b", "c"])
    spans = []
    for bar in bars:
        rect = drawn(bar).findall("{http://www.w3.org/2000/svg}rect")[0]
        x, width = float(rect.get("x", "")), float(rect.get("width", ""))
        spans.append((x, x + width))
    assert spans[0][1] == pytest.approx(spans[1][0], abs=0.02)
    assert spans[1][1] == pytest.approx(spans[2][1], abs=0.02)
    assert spans[2][0] < spans[2][1]


@given(amounts=st.lists(st.decimals(min_value=-(10**10), max_value=10**10, places=2), max_size=8))
def test_a_waterfall_of_any_amounts_stays_inside_its_rows(amounts: list[Decimal]) -> None:
    for bar in charts.waterfall([Step(amount=amount) for amount in amounts], ["t"] * len(amounts)):
        assert is_inside(bar)


@given(points=points())
def test_grid_values_are_few_and_span_what_is_drawn(points: list[Point]) -> None:
    grid = charts.grid_values(points)
    known = [v for p in points for v in (p.value, p.target, p.low, p.high) if v is not None]
    if not known:
        assert grid == []
        return
    assert 2 <= len(grid) <= 5
    assert grid[0] <= min(known)
    assert grid[-1] >= max(known)


def test_labels_beside_a_chart_never_cover_each_other() -> None:
    svg = charts.trend(
        [Point(value=D(95), target=D(95)), Point(value=D(96), target=D(95))],
        "t",
        limits=[Limit(value=D("94.9"), label="floor"), Limit(value=D("95.1"), label="stretch")],
        target_label="target",
    )
    heights = sorted(float(y) for y in re.findall(r'y="([\d.]+)"[^>]*>(?:floor|stretch|target)<', svg))
    assert len(heights) == 3
    assert min(b - a for a, b in pairwise(heights)) >= 9.9


def test_a_score_marks_its_band_and_stays_on_its_scale() -> None:
    bands = [Band(low=D(0), high=D(80)), Band(low=D(80), high=D(100), is_current=True)]
    for score in (D(0), D("79.9"), D(100), D(140), None):
        assert is_inside(charts.score_scale(score, bands, "t", top_score=D(100)))


def test_a_bar_from_nought_is_as_long_as_its_value() -> None:
    svg = charts.bullet(D(50), D(100), "t", width=150)
    widths = [float(rect.get("width", "")) for rect in drawn(svg).findall("{http://www.w3.org/2000/svg}rect")]
    assert widths[1] == pytest.approx(148 / 2 / 1.08, rel=0.02)
    assert is_inside(charts.bullet(D(-5), D(10), "t", limits=[Limit(value=D(20))], missed=True))
    assert len(drawn(charts.bullet(None, D(10), "t")).findall("{http://www.w3.org/2000/svg}rect")) == 1


def test_a_loss_goes_left_and_a_gain_goes_right() -> None:
    loss, gain = (drawn(charts.diverging(amount, D(10), "t")).find("{http://www.w3.org/2000/svg}rect") for amount in (D(-5), D(5)))
    assert loss is not None
    assert gain is not None
    assert float(loss.get("x", "")) < 43 <= float(gain.get("x", ""))
