"""How the time of judging and pricing grows with the number of scopes, for a contract with a memory.

    python tests/benchmarks/test_pricing.py [SCOPES …]          or: pytest tests/benchmarks/test_pricing.py -s

SCOPES (three workstreams a site) × 12 KPIs × 24 months, judged as one chain: points that repeat, credits over windows, caps of a month,
of twelve months and of all sites, earn-back, a bank, invoices and rights. Only the rules run, in one process, so what grows faster than
the scopes is a fault of theirs. Printed as JSON: seconds of the processor (others may use the machine), and the slope of their logarithms.
"""

from __future__ import annotations

import gc
import json
import math
import random
import sys
import time
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.document import Contract
from contracts.period import add_months
from contracts.reading import read
from scorecards.evaluating import evaluate, plan_periods, version_of
from scorecards.measurement import Row, gather

MONTHS, KPIS, WORKSTREAMS = 24, 12, 3
START = date(2025, 1, 1)


def contract() -> Contract:
    """Twelve ratios by site and workstream, and money that looks back in every way that a record can be looked at."""
    kpis = {
        f"kpi_{i}": {
            "title": f"KPI {i}",
            "value": {"ratio": {"of": f"good_{i}", "to": f"all_{i}"}},
            "for_each": ["site", "workstream"],
            "levels": [{"at": {"floor": 85, "target": 92, "stretch": 98}}],
            "no_volume": "not_judged",
            "score": {"line": [["floor", 0], ["target", 100]]},
            "points": {"steps": [{"at_least": "target", "give": 0}, {"less_than": "target", "give": 1}]},
            "repeat": {"last": 2},
            "weight": 8,
        }
        for i in range(KPIS)
    }
    names = list(kpis)
    document: dict[str, Any] = {
        "contract": "bench",
        "title": "Bench",
        "vendor": "v",
        "in_force": {"from": START.isoformat()},
        "dimensions": ["workstream"],
        "measures": {f"{side}_{i}": {} for i in range(KPIS) for side in ("good", "all")} | {"fee": {"money": True}},
        "kpis": kpis,
        "money": {
            "bases": {"fee": {"measure": "fee"}, "last": {"measure": "fee", "in_period": "previous"}},
            "credits": [
                {"for": names[:4], "pay": {"percent": {"each": {"below": "target", "give": 0.1}}, "of": "fee"}},
                {"name": "again", "for": names[4:6], "when": {"missed": "target", "window": {"last": 6, "at_least": 3}},
                 "pay": {"percent": 1, "of": "last"}},
                {"name": "points", "for_each": ["site"], "pay": {"amount": {"each": {"give": 2}}, "by": {"total": "points"}}},
            ],
            "bonuses": [{"for": names[6], "when": {"exceeded": "stretch"}, "pay": {"amount": 50}, "offsets": {"keep": 3}}],
            "caps": [
                {"name": "month", "percent": 1, "of": "fee", "excess": "carried"},
                {"name": "year", "rolling": 12, "percent": 0.8, "of": "fee"},
                {"name": "all", "each": "contract_year", "percent": 0.6, "of": "fee", "for_each": []},
            ],
            "earn_back": [{"percent": 50, "periods": 2, "within": 4}],
            "invoice": {"of": "fee", "tax": {"percent": 23}},
        },
        "rights": [{"name": "leave", "when": {"at_cap": "month", "window": {"last": 6, "at_least": 3}}},
                   {"name": "grave", "when": {"kpi": names[0], "missed": "floor", "window": {"in_a_row": 3}}}],
    }  # fmt: skip
    return read(json.dumps(document).encode(), Contract, name="bench").required()


def rows(scopes: int, seed: int = 1) -> list[Row]:
    """Monthly counts of every scope, and a fee for every site."""
    draw = random.Random(seed)
    found: list[Row] = []
    for month in range(MONTHS):
        on = add_months(START, month)
        until = add_months(on, 1)
        for scope in range(scopes):
            site, own = f"site-{scope // WORKSTREAMS}", (("workstream", f"ws-{scope % WORKSTREAMS}"),)
            for kpi in range(KPIS):
                good = draw.randint(840, 1000)
                found.append(Row(site, f"all_{kpi}", own, on, until, "month", Decimal(1000)))
                found.append(Row(site, f"good_{kpi}", own, on, until, "month", Decimal(good)))
        found += [Row(f"site-{site}", "fee", (), on, until, "month", Decimal(9000)) for site in range(-(-scopes // WORKSTREAMS))]
    return found


def measure(scopes: int) -> dict[str, Any]:
    """The seconds of one size; gathering rows into sums is not counted, for a database does it."""
    of = contract()
    planned = plan_periods([version_of(of)], add_months(START, MONTHS))
    facts = gather(rows(scopes), [one.period.from_on for one in planned])
    gc.collect()
    started = time.process_time()
    run = evaluate(planned, facts)
    seconds = time.process_time() - started
    lines = [line for record in run.records for line in record.lines]
    assert len(run.results) == scopes * KPIS * MONTHS
    kinds = {line.kind for line in lines}
    assert {"credit", "repeat", "cap", "carry", "earn_back", "bank", "tax"} <= kinds, sorted(kinds)
    return {"scopes": scopes, "results": len(run.results), "lines": len(lines), "seconds": round(seconds, 2)}


def main(sizes: list[int]) -> dict[str, Any]:
    """Every size, and how the time grows with the size."""
    found = [measure(scopes) for scopes in sizes]
    first, last = found[0], found[-1]
    slope = math.log(last["seconds"] / first["seconds"]) / math.log(last["scopes"] / first["scopes"])
    return {"runs": found, "slope": round(slope, 2)}


def test_pricing_two_years_grows_no_faster_than_its_scopes() -> None:
    result = main([150, 300, 600])
    print(json.dumps(result, indent=1))
    assert result["slope"] <= 1.1


if __name__ == "__main__":
    print(json.dumps(main([int(one) for one in sys.argv[1:]] or [150, 300, 600]), indent=1))
