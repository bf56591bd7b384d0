"""How verdicts, levels and states look: a sign, a word and a tone each, so that colour never says anything alone."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from vendor_mgmt.pages.wording import PageWords

Tone = Literal["best", "good", "warn", "bad", "none", "plain"]

_SIGNS = {
    "met": "✓",
    "missed": "✗",
    "no_data": "○",
    "no_volume": "□",
    "not_measured": "△",
    "accumulating": "…",
    "relieved": "◆",
    "none": "•",
}
"""The same signs as on a scorecard's PDF."""

NOTICEABLE = Decimal(5)
"""From how many points of score on a change is worth an arrow: smaller ones are the noise of an ordinary month."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A sign, what it means, and a tone, which becomes a colour."""

    sign: str
    word: str
    tone: Tone


def of_verdict(status: str, level: str | None, words: PageWords, *, met: bool | None) -> Mark:
    """A KPI's verdict. A miss that reached none of the contract's levels is worse than one that reached some."""
    if status != "measured":
        return Mark(sign=_SIGNS[status], word=words(f"status.{status}"), tone="none")
    if met is None:
        return Mark(sign=_SIGNS["none"], word=words("verdict.none"), tone="plain")
    if met:
        is_beyond = level not in (None, "target")
        return Mark(sign=_SIGNS["met"], word=words("verdict.met"), tone="best" if is_beyond else "good")
    if level is None:
        return Mark(sign=_SIGNS["missed"] * 2, word=words("verdict.below"), tone="bad")
    return Mark(sign=_SIGNS["missed"], word=words("verdict.missed"), tone="warn")


def trend(now: Decimal | None, before: Decimal | None) -> Literal["", "up", "down"]:
    """Whether a score moved noticeably."""
    if now is None or before is None or abs(now - before) < NOTICEABLE:
        return ""
    return "up" if now > before else "down"


ARROWS = {"": "", "up": "▲", "down": "▼"}


def of_level(level: int, words: PageWords) -> Mark:
    """A ticket's level: the higher, the graver."""
    tone: Tone = "warn" if level == 1 else "bad"
    return Mark(sign="▮" * min(level, 5), word=words("level", level=level), tone=tone)


def of_score(score: Decimal | None, standing: str | None) -> Tone:
    """The tone of a score. What a standing is called is the contract's own; 100 is what was promised, by every contract's curves."""
    del standing
    if score is None:
        return "none"
    if score >= 100:
        return "good"
    return "warn" if score >= 90 else "bad"


_RUN_SIGNS: dict[str, tuple[str, Tone]] = {
    "queued": ("◌", "none"),
    "running": ("►", "plain"),
    "done": ("✓", "good"),
    "partial": ("◐", "warn"),
    "failed": ("✗", "bad"),
    "skipped": ("–", "none"),
    "cancelled": ("–", "none"),
}


def of_run(state: str, words: PageWords) -> Mark:
    """The state of a run or a pull."""
    sign, tone = _RUN_SIGNS[state]
    return Mark(sign=sign, word=words(f"run.{state}"), tone=tone)


def of_card_state(state: str, words: PageWords) -> Mark:
    tones: dict[str, tuple[str, Tone]] = {"draft": ("◌", "none"), "issued": ("✓", "plain"), "superseded": ("–", "none")}
    sign, tone = tones[state]
    return Mark(sign=sign, word=words(f"state.{state}"), tone=tone)


def of_ticket_state(state: str, words: PageWords, *, has_recovered: bool = False) -> Mark:
    """A ticket's state, as far as a person needs to tell them apart at a glance; that its KPI is well again stands before the rest."""
    if has_recovered:
        return Mark(sign="↗", word=words("tickets.recovered", state=words(f"ticket_state.{state}")), tone="good")
    if state in ("closed", "ended", "cancelled"):
        is_solved = state == "closed"
        return Mark(sign="✓" if is_solved else "–", word=words(f"ticket_state.{state}"), tone="good" if is_solved else "none")
    if state == "suppressed":
        return Mark(sign="◆", word=words("ticket_state.suppressed"), tone="none")
    return Mark(sign="●", word=words(f"ticket_state.{state}"), tone="warn" if state != "opened" else "bad")
