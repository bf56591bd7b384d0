"""Where a figure comes from, as a tree of sentences with the numbers filled in.

The same tree stands on a page, in an answer of the API and in the PDF's appendix.  It repeats what a scorecard says and recomputes
only to show that the parts make the whole; where they do not, because a gate or a rounding of the contract stands between, it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal

from msgspec import Struct

from scorecards import formats
from scorecards.scorecard import KpiResult, Line, Scorecard
from scorecards.wording import Words


class Derivation(Struct, frozen=True, kw_only=True):
    """A figure, the sentence that says how it was reached, and the figures it rests on."""

    figure: str
    value: str
    because: str
    parts: list[Derivation] = []


def of_scorecard(card: Scorecard, words: Words) -> Derivation:
    """The score as the weighted mean of its KPIs, each KPI down to its counts."""
    judged = [result for result in card.results if result.score is not None and result.weight_used]
    parts = [of_result(result, words) for result in card.results]
    shown = formats.number(card.score, words.language, least=1, most=2)
    if card.score is None or not judged:
        return Derivation(figure=words("figure.score"), value=shown, because=words("because.no_score"), parts=parts)
    weights = sum((result.weight_used or Decimal(0) for result in judged), Decimal(0))
    mean = sum(((result.score or Decimal(0)) * (result.weight_used or Decimal(0)) for result in judged), Decimal(0)) / weights
    said = {
        "sum": _number(mean * weights, words),
        "weights": _number(weights, words),
        "mean": formats.number(mean, words.language, least=1, most=2, beside=(card.score,)),
        "score": shown,
    }
    if mean == card.score:
        key = "because.mean"
    elif _is_rounding_of(card.score, mean):
        key = "because.mean_rounded"
    else:
        key = "because.mean_and_rule"
    return Derivation(figure=words("figure.score"), value=shown, because=words(key, **said), parts=parts)


def _is_rounding_of(score: Decimal, mean: Decimal) -> bool:
    """Whether some usual rounding of the mean, to the places the score has, gives the score."""
    exponent = score.as_tuple().exponent
    places = max(-exponent, 0) if isinstance(exponent, int) else 0
    unit = Decimal(1).scaleb(-places)
    return abs(mean - score) < unit and score in {
        mean.quantize(unit, rounding=way) for way in (ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_DOWN, ROUND_UP)
    }


def of_result(result: KpiResult, words: Words) -> Derivation:
    """A KPI's value from its counts, its verdict from the level, its share of the score from score and weight."""
    parts = [part for part in (_counts(result, words), _verdict(result, words), _share(result, words), _coverage(result, words)) if part]
    value = (
        formats.quantity(result.value, result.unit, words, most=4, beside=(result.target,))
        if result.value is not None
        else words(f"status.{result.status}")
    )
    return Derivation(figure=result_title(result, words), value=value, because=_citation(result, words), parts=parts)


def of_line(line: Line, currency: str, words: Words) -> Derivation:
    """A step of the money: its rule with the inputs it took."""
    inputs = [Derivation(figure=name, value=input_text(value, words), because="") for name, value in line.inputs.items()]
    if line.base is not None:
        inputs.insert(
            0, Derivation(figure=line.base, value=formats.money(line.base_amount, currency, words.language, exact=True), because="")
        )
    return Derivation(
        figure=words(f"line.{line.kind}"),
        value=formats.money(line.amount, currency, words.language, exact=True),
        because=line.rule or (line.clause or ""),
        parts=inputs,
    )


def input_text(value: Decimal | str | None, words: Words) -> str:
    """An input of a rule: a number in the reader's notation, a word as it is, an unknown as a dash."""
    if value is None:
        return formats.DASH
    try:
        return formats.number(Decimal(value), words.language, most=6)
    except ArithmeticError:
        return str(value)


def result_title(result: KpiResult, words: Words) -> str:
    """The KPI's title with the values of its dimensions."""
    split = part_title(result.dimensions, words)
    title = result.title or result.kpi
    return f"{title} ({split})" if split else title


def part_title(dimensions: Mapping[str, str], words: Words) -> str:
    """The values of dimensions as people say them; empty where there are none."""
    return ", ".join(formats.spoken(value, words) for _, value in sorted(dimensions.items()))


def _number(value: Decimal, words: Words, most: int = 6) -> str:
    return formats.number(value, words.language, most=most)


def _citation(result: KpiResult, words: Words) -> str:
    cited = [
        text
        for text in (
            words("because.clause", clause=result.clause) if result.clause else "",
            words("because.version", version=result.version) if result.version else "",
        )
        if text
    ]
    return "; ".join(cited)


def _counts(result: KpiResult, words: Words) -> Derivation | None:
    if not result.recomputable and result.value is not None:
        return Derivation(figure=words("figure.value"), value="", because=words("because.reported"))
    if result.numerator is None:
        return None
    if result.denominator is None:
        key = "because.last" if result.kind == "last" else "because.sum"
        return Derivation(figure=words("figure.value"), value="", because=words(key, count=_number(result.numerator, words)))
    counts = {"numerator": _number(result.numerator, words), "denominator": _number(result.denominator, words)}
    if result.value is None or result.denominator == 0:
        return Derivation(figure=words("figure.value"), value="", because=words("because.counts_only", **counts))
    key = "because.percent" if result.unit == "percent" else "because.ratio"
    if result.kind == "rate" and result.times is not None:
        key, counts["times"] = "because.rate", _number(result.times, words)
    value = formats.quantity(result.value, result.unit, words, most=6)
    return Derivation(figure=words("figure.value"), value=value, because=words(key, value=value, **counts))


def _verdict(result: KpiResult, words: Words) -> Derivation | None:
    if result.status != "measured" or result.target is None or result.met is None:
        return None
    target = formats.quantity(result.target, result.unit, words, most=4)
    verdict = words("verdict.met" if result.met else "verdict.missed")
    if result.compared is not None and result.value is not None and result.compared != result.value:
        compared = formats.quantity(result.compared, result.unit, words, most=4)
        return Derivation(
            figure=words("figure.verdict"),
            value=verdict,
            because=words("because.compared", compared=compared, target=target, verdict=verdict),
        )
    boundary = words.get(f"boundary.{result.boundary}", "")
    return Derivation(
        figure=words("figure.verdict"), value=verdict, because=words("because.target", boundary=boundary, target=target, verdict=verdict)
    )


def _share(result: KpiResult, words: Words) -> Derivation | None:
    if result.score is None or result.weight_used is None:
        return None
    share = _number(result.score * result.weight_used, words, 4)
    said = {"score": _number(result.score, words, 4), "weight": _number(result.weight_used, words, 4), "share": share}
    if result.weight is not None and result.weight != result.weight_used:
        because = words("because.share_reweighted", agreed=_number(result.weight, words, 4), **said)
    else:
        because = words("because.share", **said)
    return Derivation(figure=words("figure.share"), value=share, because=because)


def _coverage(result: KpiResult, words: Words) -> Derivation | None:
    if result.spans_expected is None or result.spans_present is None:
        return None
    said = [words("because.spans", present=result.spans_present, expected=result.spans_expected)]
    if result.spans_relieved:
        said.append(words("because.relieved_spans", spans=result.spans_relieved))
    if result.spans_unpaired:
        said.append(words("because.unpaired_spans", spans=result.spans_unpaired))
    return Derivation(figure=words("figure.coverage"), value="", because=" ".join(said))
