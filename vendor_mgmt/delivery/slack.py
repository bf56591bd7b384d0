"""Sends to an incoming webhook as Slack has it.

Slack knows no key by which a message could be recognised, so one whose answer never came waits for a person.
"""

from __future__ import annotations

from vendor_mgmt.credential_values import value_of
from vendor_mgmt.credentials import CredentialMissing
from vendor_mgmt.delivery import asking, telling
from vendor_mgmt.delivery.document import Slack
from vendor_mgmt.delivery.outcomes import Later, Outcome, Refused, Sent, Unknown
from vendor_mgmt.delivery.parcel import Parcel, Tools

KIND = "slack"
IS_KEYED = False

TRY_AGAIN = (408, 429, 500, 503)
NOBODY_KNOWS = (502, 504)
"""What a gateway says when it does not know itself."""
NO_SERVICE = (404, 410)


async def send(parcel: Parcel, tools: Tools) -> Outcome:
    """Post subject and lines as one text."""
    peer: Slack = parcel.peer
    told = telling.told(parcel.claimed.payload, base_url=tools.base_url)
    try:
        url = value_of(peer.url, tools.environment)
    except CredentialMissing as error:
        return Later(error=str(error))
    answer = await asking.ask(tools.client, "POST", url, json={"text": escaped(f"*{told.subject}*\n{told.text}")})
    if isinstance(answer, Later | Refused | Unknown):
        return answer
    if answer.is_success:
        return Sent()
    if answer.status_code in NOBODY_KNOWS:
        return Unknown(error=asking.answered(answer))
    if answer.status_code in TRY_AGAIN:
        return asking.later(answer, tools.now())
    return Refused(error=asking.answered(answer), is_disabled=answer.status_code in NO_SERVICE)


def escaped(text: str) -> str:
    """The three characters by which Slack would see markup, links and calls to everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
