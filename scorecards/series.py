"""What makes a series, and how long its spans are, as sources name them and the database keeps them.

Apart from the statements, so that whoever maps a source's rows needs no database for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

GRAINS: Mapping[str, int] = {"15m": 1, "30m": 2, "hour": 3, "day": 4, "week": 5, "month": 6, "quarter": 7, "year": 8}
"""How a span's length is stored. Up to 3 the span is shorter than a day and has a `starts_at`."""

GRAIN_NAMES: Mapping[int, str] = {number: name for name, number in GRAINS.items()}

DAY = GRAINS["day"]


class SeriesKey(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a series: the site's id, the measure and the dimensions as canonical JSON (`canonical`)."""

    site: int
    measure: str
    dims_key: str


def canonical(dimensions: Mapping[str, str]) -> str:
    """Dimensions as JSON text, names sorted, so that equal dimensions are equal texts."""
    return msgspec.json.encode(dict(sorted(dimensions.items()))).decode()
