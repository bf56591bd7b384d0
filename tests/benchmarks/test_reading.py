"""How long reading and checking a large contract takes beside a plain YAML load of the same text by the same parser.

    python tests/benchmarks/test_reading.py [KILOBYTES …]          or: pytest tests/benchmarks/test_reading.py -s

A contract of so many queues: two measures, a KPI with ramped levels, a score, points and a credit each. *Plain* is `yaml.load` with
libyaml's loader, which makes dicts and lists and knows no line; *read* gives the document with every number exact and every place known;
*checked* asks all questions of meaning. All in one run, each the best of three, in seconds of the processor, since others may use the
machine, and without the collector of cyclic garbage, whose passes depend on what else the process holds. Printed as JSON with the
ratios, and the slopes of the logarithms from the smallest size to the largest.
"""

from __future__ import annotations

import gc
import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from contracts.checking import check
from contracts.document import Contract
from contracts.reading import read

HEAD = """contract: BIG-1
title: A contract of many queues
vendor: harbour
currency: EUR
in_force: {from: 2026-01-01, until: 2029-01-01}
dimensions: [workstream]
"""


def contract_of(kilobytes: int) -> str:
    """A contract of about so many thousand bytes."""
    measures, kpis, money = ["measures:", "  invoice: {money: true}"], ["kpis:"], ["money:", "  bases:", "    invoice: {measure: invoice}"]
    money += ["    at_risk: {percent: 12, of: invoice}", "  credits:"]
    size = 0
    for i in range(10**6):
        more = [
            f"  audited_{i}: {{title: Decisions audited in queue {i}}}",
            f"  correct_{i}: {{part_of: audited_{i}}}",
            f"  accuracy_{i}:",
            f"    title: Decision accuracy of queue {i}",
            f"    clause: Annex 2, {i}",
            f"    value: {{ratio: {{of: correct_{i}, to: audited_{i}}}}}",
            "    for_each: [site, workstream]",
            "    levels:",
            "      - {from: 2026-01-01, at: {floor: 90, target: 93, stretch: 96}}",
            "      - {from: 2026-06-01, at: {floor: 93, target: 95, stretch: 98}}",
            "    sample: {at_least: 200}",
            "    score: {line: [[floor, 0], [target, 100], [stretch, 120]]}",
            "    points:",
            "      steps: [{less_than: floor, give: 4}, {at_least: floor, less_than: target, give: 2}, {at_least: target, give: 0}]",
            f"    - {{for: accuracy_{i}, pay: {{percent: {{each: {{below: target, give: 0.5}}, at_most: 5}}, of: at_risk}}}}",
        ]
        measures += more[:2]
        kpis += more[2:-1]
        money += more[-1:]
        size += sum(len(line) + 1 for line in more)
        if size >= kilobytes * 1000:
            break
    return HEAD + "\n".join([*measures, *kpis, *money]) + "\n"


def seconds(work: Callable[[], Any]) -> float:
    """The best of three, in seconds of the processor."""
    best = math.inf
    for _ in range(3):
        gc.collect()
        gc.disable()
        begun = time.process_time()
        work()
        best = min(best, time.process_time() - begun)
        gc.enable()
    return best


def main(sizes: list[int]) -> dict[str, Any]:
    """Every size read, checked and loaded plainly."""
    runs: list[dict[str, float]] = []
    for size in sizes:
        text = contract_of(size)
        reading = read(text, Contract)
        contract = reading.required()
        assert check(contract, is_written=reading.is_written) == []
        plain = seconds(lambda text=text: yaml.load(text, Loader=yaml.CSafeLoader))  # type: ignore[misc]
        reads = seconds(lambda text=text: read(text, Contract))  # type: ignore[misc]
        checks = seconds(lambda contract=contract, reading=reading: check(contract, is_written=reading.is_written))  # type: ignore[misc]
        runs.append(
            {
                "bytes": len(text),
                "plain": round(plain, 3),
                "read": round(reads, 3),
                "checked": round(checks, 3),
                "ratio": round((reads + checks) / plain, 2),
            }
        )
    first, last = runs[0], runs[-1]
    grown = math.log(last["bytes"] / first["bytes"])
    slopes = {part: round(math.log(last[part] / first[part]) / grown, 2) for part in ("plain", "read", "checked")}
    whole = math.log((last["read"] + last["checked"]) / (first["read"] + first["checked"])) / grown
    return {"runs": runs, "slopes": slopes, "slope": round(whole, 2)}


def test_reading_and_checking_grow_no_faster_than_the_text_and_stay_beside_a_plain_load() -> None:
    result = main([250, 500, 1000])
    print(json.dumps(result, indent=1))
    assert result["runs"][-1]["bytes"] >= 1_000_000
    assert result["slope"] <= 1.1
    assert result["runs"][-1]["ratio"] <= 5


if __name__ == "__main__":
    print(json.dumps(main([int(one) for one in sys.argv[1:]] or [250, 500, 1000]), indent=1))
