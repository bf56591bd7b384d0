"""Sends by mail (SMTP, RFC 5321), one command at a time, so that it is known how far a message came.

SMTP has no key. Up to the final dot a failure means that the message did not arrive; after it, until the server has answered, nobody can
know (RFC 1047), and then nothing is sent again by itself. Every message has one Message-ID, made of what it tells of and to whom.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

import aiosmtplib

from vendor_mgmt import outbound
from vendor_mgmt.credential_values import value_of
from vendor_mgmt.credentials import CredentialMissing
from vendor_mgmt.delivery import telling
from vendor_mgmt.delivery.asking import said
from vendor_mgmt.delivery.document import Mail
from vendor_mgmt.delivery.outcomes import Later, Outcome, Refused, Sent, Unknown
from vendor_mgmt.delivery.parcel import Parcel, Tools

KIND = "person"
IS_KEYED = False

TIMEOUT_S = 60
PERMANENT = 500


async def send(parcel: Parcel, tools: Tools) -> Outcome:
    """Hand the message to the mail server in a connection of its own."""
    server = tools.delivery.mail
    if server is None:
        return Later(error="no mail server is set; name one under `mail` in the delivery document")
    if parcel.address is None:
        return Refused(error="the person has no address")
    try:
        password = value_of(server.password, tools.environment) if server.password is not None else None
        address = await outbound.address_of(server.host, server.port, allow_private=tools.allow_private)
    except outbound.Refused as error:
        return Refused(error=str(error))
    except (CredentialMissing, OSError) as error:
        return Later(error=str(error))
    message = letter(parcel, server, tools)
    try:
        client = await _connected(server, address, password)
    except aiosmtplib.SMTPAuthenticationError as error:
        return Later(error=f"the mail server refuses user and password: {_answer(error)}")
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        return Later(error=f"the mail server was not reached: {said(error)}")
    try:
        return await _hand_over(client, server.sender, parcel.address, message)
    finally:
        client.close()


async def _connected(server: Mail, address: str, password: str | None) -> aiosmtplib.SMTP:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    line = socket.socket(family, socket.SOCK_STREAM)
    line.setblocking(False)
    client = aiosmtplib.SMTP(
        hostname=server.host,
        sock=line,
        timeout=TIMEOUT_S,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=ssl.create_default_context() if server.security != "none" else None,
        local_hostname=server.sender.rpartition("@")[2],
        username=server.user,
        password=password,
    )
    try:
        # The address that was checked, not the name, which may lead elsewhere a moment later; certificates are checked by the name.
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.get_running_loop().sock_connect(line, (address, server.port))
        await client.connect()
    except BaseException:
        client.close()
        line.close()
        raise
    return client


async def _hand_over(client: aiosmtplib.SMTP, sender: str, recipient: str, message: EmailMessage) -> Outcome:
    try:
        await client.ehlo()
        await client.mail(sender)
        await client.rcpt(recipient)
    except aiosmtplib.SMTPResponseException as error:
        return Refused(error=_answer(error)) if error.code >= PERMANENT else Later(error=_answer(error), of_peer=False)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        return Later(error=f"broken off before the message: {said(error)}")
    try:
        await client.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
    except aiosmtplib.SMTPDataError as error:
        # The server has spoken: what it refuses it has not taken.
        return Refused(error=_answer(error)) if error.code >= PERMANENT else Later(error=_answer(error), of_peer=False)
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        return Unknown(error=f"the message was handed over, and no answer came: {said(error)}")
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):  # It has the message already.
        await client.quit()
    return Sent()


def letter(parcel: Parcel, server: Mail, tools: Tools) -> EmailMessage:
    """The mail: plain text, threaded by ticket, with headers that keep automatic answers away."""
    message = parcel.claimed
    told = telling.told(message.payload, base_url=tools.base_url)
    domain = server.sender.rpartition("@")[2]
    mail = EmailMessage()
    mail["From"] = formataddr((server.sender_name, server.sender))
    mail["To"] = formataddr((parcel.name or "", parcel.address or ""))
    mail["Subject"] = told.subject
    mail["Date"] = format_datetime(message.created_at)
    mail["Message-ID"] = f"<{telling.identity(message.idempotency_key, message.recipient)}@{domain}>"
    mail["References"] = f"<{telling.identity(message.stream, message.recipient)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Vendor-Mgmt-Event"] = telling.identity(message.idempotency_key)
    mail.set_content(told.text)
    return mail


def _answer(error: aiosmtplib.SMTPResponseException) -> str:
    return f"the mail server answered {error.code}: {' '.join(error.message.split())[:200]}"
