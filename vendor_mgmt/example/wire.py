"""How each vendor words what it sends: its own names for sites, queues and measures, its own dates, its own envelope.

Six vendors report in six ways, as vendors do. The source documents under `documents/sources` say how each is read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from vendor_mgmt.example import portfolio
from vendor_mgmt.example.generating import Row

QUEUES = {
    "brightquay": {
        "product-moderation": "PRODUCT",
        "content-moderation": "CONTENT",
        "merchant-moderation": "MERCHANT",
        "live-stream-moderation": "LIVE",
        "customer-support": "CARE",
    },
    "saffron-lantern": {
        "product-moderation": "lob-11",
        "content-moderation": "lob-12",
        "merchant-moderation": "lob-15",
        "live-stream-moderation": "lob-20",
        "customer-support": "lob-40",
    },
    "akari-relay": {"product-moderation": "product review", "live-stream-moderation": "live review"},
}
"""What a vendor calls a workstream, where it does not use the contract's word."""

_SITE_CODES = {site.key: site.code for site in portfolio.SITES}
_GRAINS = {"day": "D", "month": "M"}


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def brightquay(row: Row) -> dict[str, Any]:
    """Long rows with codes, and the name of whoever pressed the button, which nobody needs."""
    return {
        "site": _SITE_CODES[row.site],
        "queue": QUEUES["brightquay"][row.workstream],
        "lang": row.language,
        "metric": row.measure,
        "period": row.grain,
        "starts": row.starts_on.isoformat(),
        "figure": row.value,
        "reported_at": moment(row.known_at),
        "entered_by": portfolio.PERSON,
    }


def saffron_lantern(row: Row) -> dict[str, Any]:
    """Nested objects, capital letters, days first; it does not say when a figure became known."""
    return {
        "centre": {"code": _SITE_CODES[row.site], "lob": QUEUES["saffron-lantern"][row.workstream]},
        "language": row.language,
        "input": row.measure.upper(),
        "date": row.starts_on.strftime("%d/%m/%Y"),
        "grain": _GRAINS[row.grain],
        "amount": row.value,
    }


def plain(row: Row) -> dict[str, Any]:
    """The contract's own words throughout."""
    return {
        "site": _SITE_CODES[row.site],
        "workstream": row.workstream,
        "language": row.language,
        "measure": row.measure,
        "starts_on": row.starts_on.isoformat(),
        "grain": row.grain,
        "value": row.value,
        "known_at": moment(row.known_at),
    }


ROWS = {"brightquay": brightquay, "saffron-lantern": saffron_lantern, "nilegate": plain, "home-team": plain}
"""The row of each vendor that reports over HTTP."""
