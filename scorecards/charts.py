"""Charts as inline SVG: pure functions from points to markup, the same bytes for the same points.

The drawings carry no words of a user: a name set letter by letter in SVG loses its direction and its ligatures, and text in HTML is
tagged, searchable and escaped in one place.  What stands in a drawing is digits and abbreviated months.  Every drawing has a title,
which becomes the alternative text of its figure in the PDF and on a page.

Colour is never the only carrier of meaning: the target is dashed, a limit dotted, a missed period a filled dot, a period without
a value a hollow mark on the axis, relief a hatched column, a new contract version a vertical rule.

Coordinates are binary floats cut to two decimals: they place ink and are read by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from html import escape

from msgspec import Struct, structs

FONT = "Source Sans 3, Noto Sans, DejaVu Sans, sans-serif"
_PAPER = "#ffffff"


class Palette(Struct, frozen=True, kw_only=True):
    """The colours of a drawing.  Each but ``grid``, ``band`` and ``shade`` reads at 4.5 : 1 or better on white."""

    ink: str = "#1b2733"
    accent: str = "#14506e"
    muted: str = "#5a6672"
    grid: str = "#dfe3e8"
    band: str = "#d9e6ee"
    shade: str = "#eceff2"
    bad: str = "#a61e2b"
    good: str = "#1d6b45"


INK = Palette()


class Point(Struct, frozen=True, kw_only=True):
    """One period of a trend.  Without a ``value`` it is a gap, whatever the reason."""

    label: str = ""
    value: Decimal | None = None
    target: Decimal | None = None
    met: bool | None = None
    relieved: bool = False
    version: str = ""
    low: Decimal | None = None
    high: Decimal | None = None


class Limit(Struct, frozen=True, kw_only=True):
    """A horizontal line other than the target, such as the floor."""

    value: Decimal
    label: str = ""


class Step(Struct, frozen=True, kw_only=True):
    """One bar of a waterfall: from where the sum stood to where it stands.  ``is_total`` starts again from nought."""

    amount: Decimal
    is_total: bool = False


class Band(Struct, frozen=True, kw_only=True):
    """A stretch of a scale, half-open; ``is_current`` when the score lies in it."""

    low: Decimal
    high: Decimal
    is_current: bool = False


class _Scale:
    """Values to pixels, bottom up."""

    def __init__(self, low: float, high: float, top: float, bottom: float) -> None:
        self.low, self.high, self.top, self.bottom = low, high, top, bottom

    def __call__(self, value: Decimal | float) -> float:
        share = (float(value) - self.low) / (self.high - self.low)
        return self.bottom - min(max(share, 0.0), 1.0) * (self.bottom - self.top)


def sparkline(points: Sequence[Point], title: str, *, width: float = 88, height: float = 20, palette: Palette = INK) -> str:
    """A trend small enough for a table row: the value, its target dashed, gaps as gaps, misses as dots."""
    ink = _Drawing(width, height, title)
    if not points:
        return ink.markup()
    scale = _Scale(*_extent([v for p in points for v in (p.value, p.target)]), top=3.0, bottom=height - 4.0)
    xs = _columns(len(points), 3.0, width - 4.0)
    step = xs[1] - xs[0] if len(xs) > 1 else width / 2
    for x, before, point in zip(xs, [None, *points[:-1]], points, strict=True):
        if point.relieved:
            start, end = max(x - step / 2, 0.0), min(x + step / 2, width)
            ink.rect(start, 0.5, end - start, height - 1, fill=palette.shade)
        if before is not None and before.version and point.version and before.version != point.version:
            ink.line(x - step / 2, 0.5, x - step / 2, height - 0.5, stroke=palette.muted, width=0.5)
    _target_steps(ink, points, xs, scale, palette, (0.5, width - 0.5), width=0.7)
    _value_line(ink, points, xs, scale, palette.accent, 1.1)
    ink.rings([(x, height - 1.8) for x, p in zip(xs, points, strict=True) if p.value is None], 2.2, colour=palette.muted, width=0.6)
    ink.dots(
        [(x, scale(p.value)) for x, p in zip(xs, points, strict=True) if p.value is not None and p.met is False], 2.6, colour=palette.bad
    )
    last = points[-1]
    if last.value is not None:
        ink.dots([(xs[-1], scale(last.value))], 3.8, colour=palette.bad if last.met is False else palette.accent)
    return ink.markup()


def trend(
    points: Sequence[Point],
    title: str,
    *,
    limits: Sequence[Limit] = (),
    target_label: str = "",
    ticks: Sequence[tuple[Decimal, str]] = (),
    width: float = 424,
    height: float = 124,
    palette: Palette = INK,
) -> str:
    """Up to thirteen periods of one value with target, limits, relief, versions, gaps and the interval of a sample.

    ``ticks`` are the grid's values with their labels, as :func:`grid_values` proposes and ``formats`` writes them.
    """
    ink = _Drawing(width, height, title)
    if not points:
        return ink.markup()
    left, right, top, bottom = 36.0, width - 66.0, 11.0, height - 17.0
    scale = _Scale(*_extent(_values(points, limits), [value for value, _ in ticks]), top=top, bottom=bottom)
    inset = min(9.0, (right - left) / (2 * len(points)))
    xs = _columns(len(points), left + inset, right - inset)
    step = xs[1] - xs[0] if len(xs) > 1 else right - left
    grid = "".join(f"M{_n(left)} {_n(scale(value))}H{_n(right)}" for value, _ in ticks)
    if grid:
        ink.path(grid, stroke=palette.grid, width=0.6)
    for value, label in ticks:
        ink.text(left - 4, scale(value) + 3, label, anchor="end", fill=palette.muted)
    for x, before, point in zip(xs, [None, *points[:-1]], points, strict=True):
        if point.relieved:
            start, end = max(x - step / 2, left), min(x + step / 2, right)
            _hatched(ink, start, top, end - start, bottom - top, palette)
        if before is not None and before.version and point.version and before.version != point.version:
            edge = x - step / 2
            ink.line(edge, top - 3, edge, bottom, stroke=palette.muted, width=0.7, dash="1.2 1.6")
            ink.path(f"M{_n(edge - 2.4)} {_n(top - 6)}h4.8l-2.4 3.6z", fill=palette.muted)
    _interval_band(ink, points, xs, scale, palette)
    rights: list[tuple[float, str, str]] = []
    for limit in limits:
        y = scale(limit.value)
        ink.line(left, y, right, y, stroke=palette.muted, width=0.7, dash="0.8 1.8")
        rights.append((y, limit.label, palette.muted))
    _target_steps(ink, points, xs, scale, palette, (left, right), width=0.9)
    last_target = next((p.target for p in reversed(points) if p.target is not None), None)
    if last_target is not None and target_label:
        rights.append((scale(last_target), target_label, palette.ink))
    for y, label, colour in _spread(rights, 10.0, top, bottom):
        ink.text(right + 5, y + 3, label, fill=colour)
    _value_line(ink, points, xs, scale, palette.accent, 1.5)
    places = list(zip(xs, points, strict=True))
    ink.rings([(x, bottom) for x, p in places if p.value is None], 4.4, colour=palette.muted, width=0.9)
    ink.rings([(x, scale(p.value)) for x, p in places if p.value is not None and p.met is not False], 4.0, colour=palette.accent, width=1.1)
    ink.dots([(x, scale(p.value)) for x, p in places if p.value is not None and p.met is False], 4.8, colour=palette.bad)
    ink.line(left, bottom, right, bottom, stroke=palette.muted, width=0.6, behind=True)
    every = 1 if step >= 30 else 2 if step >= 12 else 3
    for index, (x, point) in enumerate(zip(xs, points, strict=True)):
        if (len(points) - 1 - index) % every == 0:
            ink.text(x, height - 4, point.label, anchor="middle", fill=palette.muted)
    return ink.markup()


def small_multiple(points: Sequence[Point], title: str, *, low: Decimal, high: Decimal, width: float = 200, height: float = 40) -> str:
    """One of several trends drawn on a common scale, so that eyes may compare them."""
    ink = _Drawing(width, height, title)
    if not points:
        return ink.markup()
    scale = _Scale(*_extent([low, high]), top=4.0, bottom=height - 5.0)
    xs = _columns(len(points), 3.0, width - 4.0)
    _target_steps(ink, points, xs, scale, INK, (0.5, width - 0.5), width=0.7)
    _value_line(ink, points, xs, scale, INK.accent, 1.2)
    places = list(zip(xs, points, strict=True))
    ink.rings([(x, height - 2.4) for x, p in places if p.value is None], 2.4, colour=INK.muted, width=0.6)
    ink.dots([(x, scale(p.value)) for x, p in places if p.value is not None and p.met is False], 3.4, colour=INK.bad)
    ink.dots([(x, scale(p.value)) for x, p in places[-1:] if p.value is not None and p.met is not False], 3.4, colour=INK.accent)
    ink.line(0, height - 0.5, width, height - 0.5, stroke=INK.grid, width=0.6)
    return ink.markup()


def score_scale(
    score: Decimal | None, bands: Sequence[Band], title: str, *, top_score: Decimal, width: float = 208, height: float = 27
) -> str:
    """A score on its scale: bands as boxes, the current one filled, a marker where the score lies."""
    ink = _Drawing(width, height, title)
    left, right, y, thick = 1.0, width - 1.0, 9.0, 7.0
    bands = bands or [Band(low=Decimal(0), high=top_score)]

    def x_of(value: Decimal) -> float:
        return left + (right - left) * min(max(float(value / top_score), 0.0), 1.0)

    for band in bands:
        x, end = x_of(band.low), x_of(band.high)
        ink.rect(x + 0.4, y, max(end - x - 0.8, 0.4), thick, fill=INK.band if band.is_current else INK.shade)
        if band.low > 0:
            ink.text(x, height - 0.5, f"{band.low.normalize():f}", anchor="middle", fill=INK.muted, size=8.5)
    if score is not None:
        x = x_of(score)
        x = min(max(x, 3.6), width - 3.6)
        ink.path(f"M{_n(x - 3.6)} 1.5h7.2l-3.6 5.6z", fill=INK.accent)
        ink.line(x, y - 1.5, x, y + thick, stroke=INK.accent, width=1.4)
    return ink.markup()


def bullet(
    value: Decimal | None,
    target: Decimal | None,
    title: str,
    *,
    limits: Sequence[Limit] = (),
    missed: bool = False,
    width: float = 150,
    height: float = 12,
) -> str:
    """A value as a bar from nought, its target as an upright, limits as short ticks; an unknown value draws no bar."""
    ink = _Drawing(width, height, title)
    low, high = _extent([Decimal(0), value, target, *(limit.value for limit in limits)])
    low = min(low, 0.0) if any(at is not None and at < 0 for at in (value, target)) else 0.0

    def x_of(at: Decimal) -> float:
        return 1 + (width - 2) * (float(at) - low) / (high - low)

    ink.rect(1, height / 2 - 3.5, width - 2, 7, fill=INK.shade)
    if value is not None:
        ink.rect(1, height / 2 - 2, max(x_of(value) - 1, 0.6), 4, fill=INK.bad if missed else INK.accent)
    for limit in limits:
        ink.line(x_of(limit.value), height / 2 - 3.5, x_of(limit.value), height / 2 + 3.5, stroke=INK.muted, width=0.7, dash="1 1")
    if target is not None:
        ink.line(x_of(target), 0.5, x_of(target), height - 0.5, stroke=INK.ink, width=1.4)
    return ink.markup()


def diverging(amount: Decimal, largest: Decimal, title: str, *, width: float = 86, height: float = 8) -> str:
    """A bar left of the middle for a loss, right of it for a gain; ``largest`` fills a half."""
    ink = _Drawing(width, height, title)
    middle = width / 2
    length = (middle - 1) * min(abs(float(amount / largest)), 1.0) if largest else 0.0
    if amount < 0:
        ink.rect(middle - length, 1, length, height - 2, fill=INK.bad)
    else:
        ink.rect(middle, 1, length, height - 2, fill=INK.accent)
    ink.line(middle, 0, middle, height, stroke=INK.muted, width=0.7)
    return ink.markup()


def waterfall(steps: Sequence[Step], titles: Sequence[str], *, width: float = 108, height: float = 10) -> list[str]:
    """One drawing per step on a common scale: where the running sum came from and where it went.

    A list rather than one picture, so that each bar stands in the row of the table that names its rule.
    """
    spans: list[tuple[Decimal, Decimal]] = []
    running = Decimal(0)
    for step in steps:
        start = Decimal(0) if step.is_total else running
        running = start + step.amount
        spans.append((start, running))
    low = float(min([Decimal(0), *(min(span) for span in spans)]))
    high = float(max([Decimal(0), *(max(span) for span in spans)]))
    if high <= low:
        high = low + 1.0

    def x_of(value: Decimal) -> float:
        return 1 + (width - 2) * (float(value) - low) / (high - low)

    drawings = []
    for step, (start, end), title in zip(steps, spans, titles, strict=True):
        ink = _Drawing(width, height, title)
        ink.line(x_of(Decimal(0)), 0, x_of(Decimal(0)), height, stroke=INK.grid, width=0.7)
        x = min(x_of(start), x_of(end))
        colour = INK.ink if step.is_total else INK.accent if step.amount >= 0 else INK.muted
        ink.rect(x, 1.5, max(abs(x_of(end) - x_of(start)), 0.8), height - 3, fill=colour)
        drawings.append(ink.markup())
    return drawings


def week(values: Sequence[Decimal | None], title: str, *, width: float = 64, height: float = 22) -> str:
    """Seven columns, Monday first, on a scale that starts where the differences are; a day without a value is a hollow mark."""
    ink = _Drawing(width, height, title)
    known = [value for value in values if value is not None]
    low, high = _extent(known)
    room = width / max(len(values), 1)
    for index, value in enumerate(values):
        x = index * room + 1.2
        if value is None:
            ink.rings([(x + room / 2 - 1.2, height - 2.4)], 2.4, colour=INK.muted, width=0.6)
            continue
        tall = 2 + (height - 4) * (float(value) - low) / (high - low)
        ink.rect(x, height - 1 - tall, room - 2.4, tall, fill=INK.accent)
    ink.line(0, height - 0.5, width, height - 0.5, stroke=INK.grid, width=0.6)
    return ink.markup()


def grid_values(points: Sequence[Point], limits: Sequence[Limit] = (), *, most: int = 4) -> list[Decimal]:
    """Round values that span everything drawn: steps of 1, 2, 2.5 or 5 times a power of ten."""
    values = [value for value in _values(points, limits) if value is not None]
    if not values:
        return []
    low, high = min(values), max(values)
    spread = high - low or abs(high) or Decimal(1)
    power = Decimal(10) ** ((spread / most).adjusted())
    for factor in ("1", "2", "2.5", "5", "10", "20", "25", "50"):
        step = power * Decimal(factor)
        first = (low / step).to_integral_value(rounding="ROUND_FLOOR") * step
        count = int(((high - first) / step).to_integral_value(rounding="ROUND_CEILING")) + 1
        if count <= most:
            break
    if count == 1:
        count = 2
    return [first + step * index for index in range(count)]


class _Drawing:
    """Collects elements of one SVG picture."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._open = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_n(width)}" height="{_n(height)}" '
            f'viewBox="0 0 {_n(width)} {_n(height)}"><title>{escape(title)}</title>'
        )
        self._parts: list[str] = []

    def _add(self, part: str, *, behind: bool = False) -> None:
        if behind:
            self._parts.insert(0, part)
        else:
            self._parts.append(part)

    def rect(self, x: float, y: float, width: float, height: float, *, fill: str) -> None:
        self._add(f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, *, stroke: str, width: float, dash: str = "", behind: bool = False) -> None:
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._add(
            f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" stroke="{stroke}" stroke-width="{_n(width)}"{dashed}/>',
            behind=behind,
        )

    def dots(self, places: Iterable[tuple[float, float]], diameter: float, *, colour: str) -> None:
        """Any number of dots as one element: strokes of no length with round ends.  A layout engine pays for elements, not for ink."""
        data = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in places)
        if data:
            self._add(f'<path d="{data}" fill="none" stroke="{colour}" stroke-width="{_n(diameter)}" stroke-linecap="round"/>')

    def rings(self, places: Sequence[tuple[float, float]], diameter: float, *, colour: str, width: float) -> None:
        self.dots(places, diameter + width, colour=colour)
        self.dots(places, diameter - width, colour=_PAPER)

    def path(self, data: str, *, fill: str = "none", stroke: str = "", width: float = 0, dash: str = "") -> None:
        edge = f' stroke="{stroke}" stroke-width="{_n(width)}"' if stroke else ""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self._add(f'<path d="{data}" fill="{fill}"{edge}{dashed}/>')

    def text(self, x: float, y: float, text: str, *, fill: str, anchor: str = "start", size: float = 9) -> None:
        if text:
            place = f'x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"'
            self._add(f'<text {place} font-family="{FONT}" font-size="{_n(size)}" fill="{fill}">{escape(text)}</text>')

    def markup(self) -> str:
        return f"{self._open}{''.join(self._parts)}</svg>"


def _n(value: float) -> str:
    """A coordinate in at most two decimals, without a negative nought."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _columns(count: int, left: float, right: float) -> list[float]:
    if count == 1:
        return [right]
    return [left + (right - left) * index / (count - 1) for index in range(count)]


def _values(points: Sequence[Point], limits: Sequence[Limit]) -> list[Decimal | None]:
    return [*(v for p in points for v in (p.value, p.target, p.low, p.high)), *(limit.value for limit in limits)]


def _extent(values: Iterable[Decimal | None], frame: Iterable[Decimal] = ()) -> tuple[float, float]:
    """Lowest and highest, with a little air, never equal; a ``frame`` that spans the values is taken as it is."""
    known = [float(value) for value in values if value is not None]
    framed = [float(value) for value in frame]
    if framed:
        return min([*framed, *known]), max([*framed, *known])
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    air = (high - low) * 0.08 or abs(high) * 0.08 or 1.0
    return low - air, high + air


def _runs(points: Sequence[Point]) -> list[list[int]]:
    """Indexes of neighbouring points that have a value."""
    runs: list[list[int]] = []
    for index, point in enumerate(points):
        if point.value is None:
            continue
        if runs and runs[-1][-1] == index - 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _value_line(ink: _Drawing, points: Sequence[Point], xs: Sequence[float], scale: _Scale, colour: str, width: float) -> None:
    runs = _runs(points)
    places = [(xs[index], scale(point.value)) if point.value is not None else (0.0, 0.0) for index, point in enumerate(points)]
    ink.dots([places[run[0]] for run in runs if len(run) == 1], 2 * width, colour=colour)
    data = "".join("M" + "L".join(f"{_n(places[i][0])} {_n(places[i][1])}" for i in run) for run in runs if len(run) > 1)
    if data:
        ink.path(data, stroke=colour, width=width)


def _target_steps(
    ink: _Drawing,
    points: Sequence[Point],
    xs: Sequence[float],
    scale: _Scale,
    palette: Palette,
    edges: tuple[float, float],
    *,
    width: float,
) -> None:
    """The target as a dashed step line: it holds for a whole period and jumps where a version changes it."""
    half = (xs[1] - xs[0]) / 2 if len(xs) > 1 else 20.0
    data: list[str] = []
    before: Decimal | None = None
    for x, point in zip(xs, points, strict=True):
        if point.target is not None:
            y = _n(scale(point.target))
            start, end = max(x - half, edges[0]), min(x + half, edges[1])
            data.append(f"V{y}H{_n(end)}" if before is not None else f"M{_n(start)} {y}H{_n(end)}")
        before = point.target
    if data:
        ink.path("".join(data), stroke=palette.ink, width=width, dash="3 2")


def _interval_band(ink: _Drawing, points: Sequence[Point], xs: Sequence[float], scale: _Scale, palette: Palette) -> None:
    with_interval = [structs.replace(p, value=p.low if p.high is not None else None) for p in points]
    for run in _runs(with_interval):
        spans = [(xs[i], points[i].low, points[i].high) for i in run]
        if len(run) == 1:
            x, low, high = spans[0]
            if low is not None and high is not None:
                ink.rect(x - 3, scale(high), 6, scale(low) - scale(high), fill=palette.band)
            continue
        upper = [f"{_n(x)} {_n(scale(high))}" for x, _, high in spans if high is not None]
        lower = [f"{_n(x)} {_n(scale(low))}" for x, low, _ in reversed(spans) if low is not None]
        ink.path(f"M{'L'.join([*upper, *lower])}Z", fill=palette.band)


def _hatched(ink: _Drawing, x: float, y: float, width: float, height: float, palette: Palette) -> None:
    """A column for a relieved period, told from a shaded background by its strokes when printed in grey."""
    ink.rect(x, y, width, height, fill=palette.shade)
    offset = 0.0
    strokes = []
    while offset < height:
        rise = min(width, height - offset)
        strokes.append(f"M{_n(x)} {_n(y + offset + rise)}l{_n(rise)} {_n(-rise)}")
        offset += 7.0
    ink.path("".join(strokes), stroke="#c3cad1", width=0.5)


def _spread(labels: Sequence[tuple[float, str, str]], apart: float, top: float, bottom: float) -> list[tuple[float, str, str]]:
    """Labels pushed down so that none covers another, and up again where they would leave the drawing."""
    placed: list[tuple[float, str, str]] = []
    for y, label, colour in sorted(labels):
        above = placed[-1][0] + apart if placed else top
        placed.append((max(y, above), label, colour))
    limit = bottom
    for index in range(len(placed) - 1, -1, -1):
        y, label, colour = placed[index]
        placed[index] = (min(y, limit), label, colour)
        limit = placed[index][0] - apart
    return placed
