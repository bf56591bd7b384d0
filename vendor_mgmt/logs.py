"""What is written down while the service runs: text for people at a terminal, one JSON object a line for machines.

Modules log with the standard library (`logging.getLogger(__name__)`) and give facts as fields rather than in prose:

    logger.info("Pulled %d rows", count, extra={"source": code, "pull": number})

Secrets are taken out on the way, in the message, in the fields and in tracebacks: by their shape (a password in an address, a bearer
token, `password=…`) and, for those that have none, by their value, once `hide` has been told.
"""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

import msgspec

from vendor_mgmt.errors import is_lost_connection
from vendor_mgmt.settings import Settings, fields

HIDDEN: Final = "(hidden)"
HIDEABLE_CHARACTERS_MIN: Final = 8

_SHAPES = [
    # A password in an address: scheme://user:password@host.
    (re.compile(r"(?<=://)([^\s:/@]*):[^\s@]+@"), rf"\1:{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # password=…, "api_key": "…", X-Api-Key: …
    (
        re.compile(
            r"""(?ix)
            \b( [\w-]*? (?: password | passwd | secret | secret_key | api[-_]?key | access[-_]?key | token | authorization | cookie ) )
            (["']? \s* [:=] \s*)
            ( "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | [^\s,;&)}\]"']+ )
            """
        ),
        rf"\1\2{HIDDEN}",
    ),
]

# Everything a record has without anybody's adding to it; the rest are fields given with `extra`.
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

_values: set[str] = set()


def hide(*values: str | None) -> None:
    """Never write these down, wherever they appear. Short ones are ignored: they would blot out ordinary words."""
    _values.update(value for value in values if value is not None and len(value) >= HIDEABLE_CHARACTERS_MIN)


def without_secrets(text: str) -> str:
    """The text with everything that is, or looks like, a secret taken out."""
    for value in sorted(_values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    for shape, replacement in _SHAPES:
        text = shape.sub(replacement, text)
    return text


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send everything logged in this process to `stream` (standard error by default), once, in the form the settings ask for."""
    stream = sys.stderr if stream is None else stream
    hide(*(getattr(settings, field.name) for field in fields() if field.is_secret))
    is_text = settings.log_format == "text" or (settings.log_format == "auto" and stream.isatty())
    handler = Handler(stream)
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # One line for each request made, with its address and query string, is more than an ordinary day's log should hold.
    for chatty in ("httpx", "httpcore", "fontTools", "weasyprint", "apscheduler"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)


class Handler(logging.StreamHandler[TextIO]):
    """Takes the secrets out of a record before its formatter sees it, so that none can be forgotten in a formatter."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(_record_without_secrets(record))


def _record_without_secrets(record: logging.LogRecord) -> logging.LogRecord:
    # A copy: other handlers, a test's for one, want the record as it was.
    safe = logging.makeLogRecord(vars(record))
    safe.msg, safe.args = without_secrets(record.getMessage()), None
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and is_lost_connection(error):
        # Where in a driver it was noticed tells nobody anything; that it was is a line, and it comes in bunches.
        safe.msg, safe.exc_info, safe.exc_text = without_secrets(f"{safe.msg} ({type(error).__name__}: {error})"), None, None
    elif record.exc_info and not record.exc_text:
        safe.exc_text = logging.Formatter().formatException(record.exc_info)
    if safe.exc_text:
        safe.exc_text = without_secrets(safe.exc_text)
    if safe.stack_info:
        safe.stack_info = without_secrets(safe.stack_info)
    for name, value in extra_fields(safe).items():
        setattr(safe, name, _field_without_secrets(name, value))
    return safe


def _field_without_secrets(name: str, value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    # A field called `token` is judged by its name as if it were written `token=value`.
    labelled = without_secrets(f"{name}={value}")
    return labelled[len(name) + 1 :]


class TextFormatter(logging.Formatter):
    """`12:00:00 INFO  vendor_mgmt.intake: Pulled 40 rows (source=acme pull=7)`; times are the machine's, for the person at the terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (the name is the standard library's)
        given = " ".join(f"{name}={value}" for name, value in extra_fields(record).items())
        return super().formatMessage(record) + (f" ({given})" if given else "")


class JsonFormatter(logging.Formatter):
    """One object a line: `at` (UTC), `level`, `logger`, `message`, the fields given with `extra`, and `exception` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # A field of the same name as one of ours would make the line ambiguous.
        entry |= {name if name not in entry else f"{name}_": value for name, value in extra_fields(record).items()}
        if record.exc_text or record.exc_info:
            entry["exception"] = record.exc_text or self.formatException(record.exc_info or (None, None, None))
        if record.stack_info:
            entry["stack"] = record.stack_info
        return msgspec.json.encode(entry, enc_hook=str).decode()


def extra_fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was given with `extra`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}
