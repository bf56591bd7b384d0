"""Everything that is to be said about a contract file: form, meaning, and its own examples."""

from __future__ import annotations

from pathlib import Path

from contracts.checking import check as check_meaning
from contracts.document import Contract
from contracts.errors import CannotCompute, DocumentRefused, Finding, has_errors
from contracts.including import read_contract
from contracts.reading import Reading
from vendor_mgmt.commands.contract_files import beside


def findings_of(file: Path) -> tuple[Contract | None, list[Finding]]:
    """A contract file and everything that is to be said about it: form, meaning, and its own examples."""
    reading: Reading[Contract] = read_contract(file.read_bytes(), name=file.name, files=beside(file))
    findings = list(reading.findings)
    if reading.partial is not None:
        findings += reading.locate(check_meaning(reading.partial, is_written=reading.is_written))
    if reading.document is not None and not has_errors(findings):
        findings += reading.locate(_examples(reading.document, file))
    return reading.document, findings


def _examples(contract: Contract, file: Path) -> list[Finding]:
    if not contract.examples:
        return []
    from scorecards.examples import run_example  # noqa: PLC0415 - a document without examples needs no scoring
    from vendor_mgmt.commands.score import calendars_of  # noqa: PLC0415 - the same

    try:
        calendars = calendars_of(contract, file)
    except DocumentRefused as problem:
        return list(problem.findings)
    found: list[Finding] = []
    for index, example in enumerate(contract.examples):
        try:
            differences = run_example(contract, example, calendars)[1]
        except CannotCompute as problem:
            found.append(Finding("error", f"$.examples[{index}]", f"{example.name}: {problem.message}", problem.repair))
            continue
        repair = "Correct the example, or the terms."
        found += [Finding("error", f"$.examples[{index}]", f"{example.name}: {difference}", repair) for difference in differences]
    return found


__all__ = ["findings_of"]
