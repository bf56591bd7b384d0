"""Checks of meaning: a document that can be read may still promise what cannot be computed.

The questions stand in four modules, by what they are about:

    contracts.checking_values     values that cannot be, whatever the rest says
    contracts.checking_names      names that stand for nothing, or for the wrong thing
    contracts.checking_kpis       measures, KPIs, levels, bands, weights
    contracts.checking_money      credits, caps, rights, escalation, dates, examples

They are asked in this order, and each round sees holes where the rounds before found a fault (`contracts.holes`): so everything is
reported at once, and nothing that only follows from what has been reported. An *error* stops the document from being agreed; a
*warning* is something a person should have decided on purpose; a *note* needs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.checking_kpis import KPIS, PARTS
from contracts.checking_money import MONEY
from contracts.checking_names import MEANINGS, NAMES_USED, level_names
from contracts.checking_pay import PAY
from contracts.checking_values import ASIDE, VALUES
from contracts.document import Contract
from contracts.errors import Finding
from contracts.holes import punched
from contracts.questions import Questions, parts

ROUNDS: tuple[tuple[Questions, ...], ...] = ((VALUES,), (NAMES_USED,), (MEANINGS,), (PARTS,), (KPIS, MONEY, PAY, ASIDE))


def check(contract: Contract, *, is_written: Callable[[str], bool] | None = None) -> list[Finding]:
    """Everything that is wrong or worth deciding; paths only, without lines.

    `contract` may have holes, as `Reading.partial` does. `is_written` says whether a path is written in the document rather than left
    to its default (`Reading.is_written`); without it nothing is said about what somebody may have forgotten to write.
    """
    found: list[Finding] = []
    walked = list(parts(contract))
    for questions in ROUNDS:
        said = [finding for one in questions for finding in one.ask(contract, walked, is_written)]
        found += said
        left = punched(contract, (finding.path for finding in said if finding.severity != "note"))
        if left is not contract:
            contract, walked = left, list(parts(left))
    return found


__all__ = ["check", "level_names"]
