"""A message in words, from what its row says: a subject, a few lines, and the same for machines."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

NO_NOTICE = "This message is no notice under the contract."

TOPICS: Mapping[str, str] = {
    "opened": "A problem was found.",
    "acknowledged": "The vendor has acknowledged it.",
    "plan_submitted": "A corrective action plan waits for a decision.",
    "plan_approved": "The corrective action plan was approved.",
    "plan_rejected": "The corrective action plan was rejected.",
    "implemented": "The plan is carried out; now it has to prove effective.",
    "worsened": "It became worse.",
    "disputed": "The vendor disputes it. The clocks go on.",
    "dispute_settled": "The dispute is settled.",
    "hold_ended": "The hold has ended.",
    "action_overdue": "An action is overdue.",
    "acknowledgement_expired": "It was acknowledged, and nothing has happened since.",
    "reminded": "It is still open.",
}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def told(payload: Mapping[str, Any], *, base_url: str | None = None) -> Told:
    """What a message about a ticket says. Topics without words of their own are shown as they are called."""
    number = str(payload.get("ticket", ""))
    place = str(payload.get("site") or "all sites")
    topics = [TOPICS.get(str(one), str(one).replace("_", " ").capitalize() + ".") for one in payload.get("topics", ())]
    subject = f"[{number}] {payload.get('kpi', '')} at {place}: level {payload.get('level', '')}"
    lines = [
        *topics,
        "",
        f"Ticket: {number}",
        f"KPI: {payload.get('kpi', '')}",
        f"Site: {place}",
        f"State: {str(payload.get('state', '')).replace('_', ' ')}, level {payload.get('level', '')}, {payload.get('severity', '')}",
    ]
    if base_url:
        lines.append(f"{base_url.rstrip('/')}/tickets/{number}")
    return Told(subject=" ".join(subject.split()), lines=(*lines, "", NO_NOTICE))


def identity(*parts: str) -> str:
    """A name for a message that says nothing of ours and is the same whenever it is made of the same."""
    digest = hashlib.sha256(msgspec.json.encode(parts)).digest()[:18]
    return base64.urlsafe_b64encode(digest).decode()
