"""The documents that docs/sources.md shows are documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts.reading import read
from vendor_mgmt.intake.source import Source

PAGE = (Path(__file__).parents[3] / "docs" / "sources.md").read_text("utf-8")
FRAME = """
source: example
owner: client.data
reader: {type: csv, folder: inbox}
mapping: {site: {column: site}, span: {starts_on: {column: day}}, measures: {audited: {column: audited}}}
"""
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_every_document_that_the_page_shows_can_be_read(block: str) -> None:
    said = set(re.findall(r"^(\w+):", block, re.MULTILINE))
    rest = "".join(f"{line}\n" for line in FRAME.strip().splitlines() if line.split(":")[0] not in said)
    reading = read((rest + block).encode(), Source)
    assert [finding.message for finding in reading.findings] == []
    assert reading.required().owner
