"""A mail server on loopback that speaks as much IMAP4rev1 (RFC 3501) as reading a mailbox takes, and refuses everything else.

with MailServer([Mail(sender="ana@harbour.example", attachments={"a.csv": b"..."})]) as server:
    server.port
    server.commands          # what it was told, without the password
"""

from __future__ import annotations

import re
import socketserver
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Self

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass
class Mail:
    sender: str
    attachments: dict[str, bytes] = field(default_factory=dict)
    arrived_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    headers: dict[str, str] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        message = EmailMessage()
        for name, value in self.headers.items():
            message[name] = value
        message["From"], message["To"], message["Subject"] = self.sender, "data@client.example", "Figures"
        message.set_content("See the attachment. Kind regards, Maria Canaria 4711")
        for name, content in self.attachments.items():
            message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
        return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class MailServer:
    """A context manager; `mails` may grow while it runs. Mails keep their numbers."""

    def __init__(self, mails: list[Mail], *, password: str = "pass word") -> None:
        self.mails = mails
        self.password = password
        self.commands: list[str] = []

    def __enter__(self) -> Self:
        outer: MailServer = self

        class Session(_Session):
            mailbox = outer

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Session(socketserver.StreamRequestHandler):
    mailbox: MailServer

    def handle(self) -> None:
        self.state = "greeted"
        self.say("* OK [CAPABILITY IMAP4rev1] ready")
        while line := self.rfile.readline(8192):
            tag, _, rest = line.decode().rstrip("\r\n").partition(" ")
            word, _, arguments = rest.partition(" ")
            if word == "UID":
                word, _, arguments = arguments.partition(" ")
                word = f"UID {word}"
            self.mailbox.commands.append(f"{word} {'' if word == 'LOGIN' else arguments}".strip())
            answer: Any = getattr(self, word.replace(" ", "_").lower(), None)
            if answer is None:
                self.say(f"{tag} BAD unknown command")
                continue
            self.say(f"{tag} {answer(arguments)}")
            if word == "LOGOUT":
                return

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def capability(self, _: str) -> str:
        self.say("* CAPABILITY IMAP4rev1")
        return "OK done"

    def login(self, arguments: str) -> str:
        words = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', arguments)
        user, password = (quoted or bare for quoted, bare in words)
        if (user, password) != ("data", self.mailbox.password):
            return "NO [AUTHENTICATIONFAILED] Who are you?"
        self.state = "known"
        return "OK welcome"

    def examine(self, arguments: str) -> str:
        if self.state == "greeted":
            return "BAD sign in first"
        if arguments.strip('"') != "INBOX":
            return "NO there is no such folder"
        self.state = "selected"
        self.say(f"* {len(self.mailbox.mails)} EXISTS")
        self.say("* OK [UIDVALIDITY 4711] stable")
        return "OK [READ-ONLY] done"

    def uid_search(self, arguments: str) -> str:
        found = re.fullmatch(r"SINCE (\d{1,2})-(\w{3})-(\d{4})", arguments)
        if self.state != "selected" or found is None or found[2] not in MONTHS:
            return "BAD what is asked for?"
        since = datetime(int(found[3]), MONTHS.index(found[2]) + 1, int(found[1]), tzinfo=UTC)
        uids = [str(uid) for uid, mail in enumerate(self.mailbox.mails, 1) if mail.arrived_at >= since]
        self.say(f"* SEARCH {' '.join(uids)}".rstrip())
        return "OK done"

    def uid_fetch(self, arguments: str) -> str:
        found = re.fullmatch(r"(\d+) \((RFC822\.SIZE INTERNALDATE )?BODY\.PEEK\[(HEADER)?\]\)", arguments)
        if self.state != "selected" or found is None:
            return "BAD what is asked for?"
        mail = self.mailbox.mails[int(found[1]) - 1]
        whole = mail.as_bytes()
        part = whole[: whole.index(b"\r\n\r\n") + 4] if found[3] else whole
        at = mail.arrived_at
        arrived = f"{at.day:2}-{MONTHS[at.month - 1]}-{at.year} {at:%H:%M:%S} +0000"
        described = f'RFC822.SIZE {len(whole)} INTERNALDATE "{arrived}" ' if found[2] else ""
        head = f"* {found[1]} FETCH (UID {found[1]} {described}BODY[{found[3] or ''}] {{{len(part)}}}\r\n"
        self.wfile.write(head.encode() + part + b")\r\n")
        return "OK done"

    def logout(self, _: str) -> str:
        self.say("* BYE until later")
        return "OK done"
