"""Sends by Standard Webhooks: https://www.standardwebhooks.com, version 1.0.0."""

from __future__ import annotations

import msgspec

from vendor_mgmt.credential_values import value_of
from vendor_mgmt.credentials import CredentialMissing
from vendor_mgmt.delivery import asking, signing, telling
from vendor_mgmt.delivery.document import Webhook
from vendor_mgmt.delivery.outcomes import Later, Outcome, Refused, Sent, Unknown
from vendor_mgmt.delivery.parcel import Parcel, Tools

KIND = "webhook"
IS_KEYED = True
"""Receivers know a message by its `webhook-id`, so sending it again is harmless."""

GONE = 410


async def send(parcel: Parcel, tools: Tools) -> Outcome:
    """Post the event. Only an answer of 2xx is success; 410 says that no more are wanted; redirects are not followed."""
    peer: Webhook = parcel.peer
    message = parcel.claimed
    told = telling.told(message.payload, base_url=tools.base_url)
    identity = f"msg_{telling.identity(message.idempotency_key)}"
    at = tools.now()
    body = msgspec.json.encode(
        {
            "type": f"{message.kind}.{'.'.join(message.payload.get('topics', ())) or 'changed'}",
            "timestamp": message.created_at.isoformat(),
            "data": {**message.payload, "subject": told.subject},
        }
    )
    try:
        secrets = [value_of(one, tools.environment) for one in peer.secrets]
        headers = signing.headers(secrets, identity, at, body)
    except (CredentialMissing, signing.BadSecret) as error:
        # Nothing is wrong with the message; it goes out when somebody has repaired the settings.
        return Later(error=str(error))
    answer = await asking.ask(tools.client, "POST", peer.url, content=body, headers={"content-type": "application/json", **headers})
    if isinstance(answer, Later | Refused | Unknown):
        return answer
    if answer.is_success:
        return Sent()
    if answer.status_code == GONE:
        return Refused(error="answered 410: it wants no more messages", is_disabled=True)
    return asking.later(answer, at)
