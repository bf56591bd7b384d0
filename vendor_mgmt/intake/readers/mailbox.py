"""Files that vendors send by mail, read from a mailbox over IMAP. The mailbox itself is left as it is."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import fnmatch
import hashlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import getaddresses, parseaddr
from pathlib import Path

from vendor_mgmt import outbound
from vendor_mgmt.intake.readers.page import Found, KnownFiles, ReadingFailed, value_of
from vendor_mgmt.intake.source import FileReader, Mailbox

_MAILS_MAX = 5000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


async def fetched(reader: FileReader, where: Mailbox, known: KnownFiles, folder: Path, *, allow_private: bool) -> list[Found]:
    """Copies of the attachments that match, oldest mail first, without those of mails that were read before. Raises `ReadingFailed`."""
    password = value_of(where.password)
    if where.security == "none" and not allow_private:
        raise ReadingFailed("A mailbox without TLS is only read where private addresses are allowed.", is_temporary=False)
    port = where.port or (993 if where.security == "tls" else 143)
    try:
        address = await outbound.address_of(where.host, port, allow_private=allow_private)
        # The library waits for its server, which would hold up everything else in this process.
        return await asyncio.to_thread(_fetched, reader, where, known, folder, (address, port), password)
    except outbound.Refused as error:
        raise ReadingFailed(str(error), is_temporary=False) from None
    except imaplib.IMAP4.abort as error:
        raise ReadingFailed(f"The mail server {where.host} broke off: {_words(error)}.", is_temporary=True) from None
    except imaplib.IMAP4.error as error:
        raise ReadingFailed(f"The mail server {where.host} refuses: {_words(error)}.", is_temporary=False) from None
    except ssl.SSLError as error:
        raise ReadingFailed(f"The mail server {where.host} cannot be trusted: {error.reason}.", is_temporary=False) from None
    except (OSError, TimeoutError) as error:
        what = str(error) or type(error).__name__
        raise ReadingFailed(f"The mail server {where.host} cannot be read: {what}.", is_temporary=True) from None


def _words(error: Exception) -> str:
    text = error.args[0] if error.args else ""
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))[:200].rstrip(".")


class _Pinned(imaplib.IMAP4):
    """Connects to the address that was checked, and speaks TLS to the name."""

    def __init__(self, where: Mailbox, address: tuple[str, int], timeout: float) -> None:
        self.where = where
        self.address = address
        super().__init__(where.host, address[1], timeout)
        if where.security == "starttls":
            self.starttls(ssl.create_default_context())

    def _create_socket(self, timeout: float | None) -> socket.socket:
        connected = socket.create_connection(self.address, timeout)
        if self.where.security != "tls":
            return connected
        return ssl.create_default_context().wrap_socket(connected, server_hostname=self.where.host)


def _fetched(
    reader: FileReader, where: Mailbox, known: KnownFiles, folder: Path, address: tuple[str, int], password: str
) -> list[Found]:
    found: list[Found] = []
    bytes_max = reader.limits.answer_mb * 1_000_000
    client = _Pinned(where, address, reader.limits.timeout_s)
    try:
        client.login(where.user, password)
        state, _ = client.select(_quoted(where.folder), readonly=True)
        if state != "OK":
            raise ReadingFailed(f"The mailbox has no folder {where.folder}. Correct `folder`.", is_temporary=False)
        validity = (client.response("UIDVALIDITY")[1] or [None])[0]
        for uid in _uids(client, where):
            mark = f"{_plain(validity)} {uid}"
            if mark in known.every_mark:
                continue
            arrived = _message(client, uid, where, bytes_max)
            if arrived is None:
                continue
            message, sent_at = arrived
            for part, name in _attachments(message, reader.pattern):
                content = part.get_payload(decode=True)
                if not isinstance(content, bytes):
                    continue
                path = folder / str(len(found))
                path.write_bytes(content)
                sha256 = hashlib.sha256(content).hexdigest()
                found.append(Found(path=path, name=name, sha256=sha256, size_bytes=len(content), mark=mark, reported_at=sent_at))
    finally:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            client.logout()
    return found


def _uids(client: imaplib.IMAP4, where: Mailbox) -> list[str]:
    """The mails of the last days, oldest first."""
    since = datetime.now(UTC).date() - timedelta(days=where.days)
    # IMAP's dates have English months, whatever this machine speaks.
    state, answer = client.uid("SEARCH", "SINCE", f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}")
    if state != "OK":
        raise ReadingFailed("The mail server does not search.", is_temporary=True)
    uids = [word.decode() for word in (answer[0] or b"").split() if word.isdigit()]
    if len(uids) > _MAILS_MAX:
        raise ReadingFailed(f"The mailbox has {len(uids)} mails of the last {where.days} days. Say fewer `days`.", is_temporary=False)
    return sorted(uids, key=int)


def _message(client: imaplib.IMAP4, uid: str, where: Mailbox, bytes_max: int) -> tuple[EmailMessage, datetime | None] | None:
    """The mail and when it arrived, if it is from an allowed sender. Headers come first, so that nothing else of other mails is fetched."""
    head = _part(client, uid, "(RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER])")
    if head is None:
        return None
    described, header = head
    headers = email.message_from_bytes(header, _class=EmailMessage, policy=email.policy.default)
    if not is_allowed(headers, where):
        return None
    size = re.search(rb"RFC822\.SIZE (\d+)", described)
    # Attachments grow by a third in a mail.
    if size and int(size[1][:12]) > bytes_max * 4 // 3 + 100_000:
        raise ReadingFailed(f"A mail has {int(size[1][:12])} bytes, more than `limits.answer_mb` allows.", is_temporary=False)
    whole = _part(client, uid, "(BODY.PEEK[])")
    if whole is None:
        return None
    return email.message_from_bytes(whole[1], _class=EmailMessage, policy=email.policy.default), _arrived_at(described)


def _arrived_at(described: bytes) -> datetime | None:
    """When the mail server received it; what the mail itself says can be anything."""
    found = re.search(rb'INTERNALDATE "([ 0-9]\d)-(\w{3})-(\d{4}) (\d\d:\d\d:\d\d) ([+-]\d{4})"', described)
    if found is None or (month := found[2].decode().title()) not in _MONTHS:
        return None
    day, _, year, time, offset = (group.decode().strip() for group in found.groups())
    return datetime.strptime(f"{year}-{_MONTHS.index(month) + 1}-{day} {time} {offset}", "%Y-%m-%d %H:%M:%S %z")


def _part(client: imaplib.IMAP4, uid: str, what: str) -> tuple[bytes, bytes] | None:
    state, answer = client.uid("FETCH", uid, what)
    found = next((one for one in answer if isinstance(one, tuple)), None)
    return found if state == "OK" and found is not None else None


def is_allowed(headers: EmailMessage, where: Mailbox) -> bool:
    """Whether a mail is from one of the allowed senders, and verified if that is asked for."""
    senders = getaddresses([str(one) for one in headers.get_all("From", [])])
    if len(senders) != 1:
        return False  # Two senders: one of them may be allowed, and the other the one who wrote.
    sender = parseaddr(senders[0][1])[1].casefold()
    allowed = any(sender == one.casefold() or (one.startswith("@") and sender.endswith(one.casefold())) for one in where.senders)
    if not allowed or where.verified_by is None:
        return allowed
    # Only the topmost can be our own server's; those below came with the mail.
    results = [str(one) for one in headers.get_all("Authentication-Results", [])][:1]
    return any(
        one.split(";")[0].split()[:1] == [where.verified_by] and re.search(r";\s*dmarc\s*=\s*pass\b", one, re.IGNORECASE) is not None
        for one in results
    )


def _attachments(message: EmailMessage, pattern: str) -> Iterator[tuple[EmailMessage, str]]:
    for part in message.walk():
        name = Path((part.get_filename() or "").replace("\\", "/")).name
        if name and fnmatch.fnmatch(name.casefold(), pattern.casefold()):
            yield part, name


def _quoted(folder: str) -> str:
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _plain(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
