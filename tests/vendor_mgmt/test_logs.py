"""What is written down, in which form, and what is never written down."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt import logs
from vendor_mgmt.settings import Settings

logger = logging.getLogger("vendor_mgmt.test")


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """Logging belongs to the whole process; give it back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    logs._values.clear()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def configured(stream: io.StringIO | None = None, **settings: object) -> io.StringIO:
    stream = stream or io.StringIO()
    logs.configure(Settings(data_dir=Path("/unused"), **settings), stream)  # type: ignore[arg-type]
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


def test_elsewhere_than_at_a_terminal_every_line_is_an_object_with_its_fields() -> None:
    stream = configured()
    logger.info("Pulled %d rows", 40, extra={"source": "acme", "pull": 7})
    [entry] = lines(stream)
    assert str(entry.pop("at")).endswith("Z")
    assert entry == {"level": "info", "logger": "vendor_mgmt.test", "message": "Pulled 40 rows", "source": "acme", "pull": 7}


def test_at_a_terminal_it_is_text() -> None:
    stream = configured(Terminal())
    logger.warning("Late", extra={"source": "acme"})
    assert stream.getvalue().endswith("WARNING vendor_mgmt.test: Late (source=acme)\n")


@pytest.mark.parametrize(("log_format", "is_object"), [("json", True), ("text", False)])
@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_the_form_can_be_chosen(log_format: str, is_object: bool, kind: type[io.StringIO]) -> None:  # noqa: FBT001
    stream = configured(kind(), log_format=log_format)
    logger.info("x")
    assert stream.getvalue().startswith("{") == is_object


def test_what_is_less_important_than_asked_for_is_left_out() -> None:
    stream = configured(log_level="warning")
    logger.info("unimportant")
    logger.error("important")
    assert [entry["message"] for entry in lines(stream)] == ["important"]


def test_a_message_over_several_lines_stays_one_line() -> None:
    stream = configured()
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("Failed\nbadly")
    [entry] = lines(stream)
    assert entry["message"] == "Failed\nbadly"
    assert "ZeroDivisionError" in str(entry["exception"])


def test_setting_it_up_twice_writes_everything_once() -> None:
    stream = io.StringIO()
    configured(stream)
    configured(stream)
    logger.info("once")
    assert len(lines(stream)) == 1


def test_a_field_cannot_take_the_place_of_one_of_ours() -> None:
    stream = configured()
    logger.info("true", extra={"level": "fatal"})
    [entry] = lines(stream)
    assert (entry["level"], entry["level_"]) == ("info", "fatal")


def test_a_value_without_a_json_form_is_written_as_text() -> None:
    stream = configured()
    logger.info("x", extra={"where": Path("/srv")})
    assert lines(stream)[0]["where"] == "/srv"


# Secrets

SECRETIVE = [
    "postgresql://clerk:Xy7-hush@db/vendors",
    "GET https://user:Xy7-hush@vendor.example/feed",
    "Authorization: Bearer Xy7-hush.aaaa.bbbb",
    "authorization=Basic Xy7-hushQ==",
    "password=Xy7-hush",
    "PGPASSWORD='Xy7-hush'",
    '{"api_key": "Xy7-hush", "page": 2}',
    "X-Api-Key: Xy7-hush",
    "https://vendor.example/feed?access_token=Xy7-hush&page=2",
    "client_secret: Xy7-hush",
    "Set-Cookie: Xy7-hush",
]


@pytest.mark.parametrize("text", SECRETIVE)
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_what_looks_like_a_secret_is_hidden_in_messages_fields_and_tracebacks(text: str, log_format: str) -> None:
    stream = configured(log_format=log_format)
    logger.info(text)
    logger.info("%s", text)
    logger.info("x", extra={"answer": text})
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("failed", stack_info=True)
    assert "Xy7-hush" not in stream.getvalue()
    assert logs.HIDDEN in stream.getvalue()


@pytest.mark.parametrize("name", ["password", "token", "api_key", "smtp_password"])
def test_a_field_named_like_a_secret_is_hidden_whatever_it_holds(name: str) -> None:
    stream = configured()
    logger.info("x", extra={name: "plain words"})
    assert "plain" not in stream.getvalue()


def test_the_settings_own_secrets_are_hidden_although_they_look_like_nothing() -> None:
    stream = configured(secret_key="quiet-as-a-mouse-in-the-night-time")
    logger.info("signing with quiet-as-a-mouse-in-the-night-time now")
    assert lines(stream)[0]["message"] == f"signing with {logs.HIDDEN} now"


def test_the_rest_of_the_message_stays() -> None:
    assert logs.without_secrets("https://u:pw@h/feed?token=abc&page=2 failed") == (
        f"https://u:{logs.HIDDEN}@h/feed?token={logs.HIDDEN}&page=2 failed"
    )
    ordinary = "Pulled 40 rows of decisions_audited for site MNL1 at 12:00, next page: 3; tokens are counted elsewhere"
    assert logs.without_secrets(ordinary) == ordinary


def test_other_listeners_get_the_record_as_it_was(caplog: pytest.LogCaptureFixture) -> None:
    configured()
    logging.getLogger().addHandler(caplog.handler)
    logger.info("password=%s", "Xy7-hush")
    assert caplog.records[-1].args == ("Xy7-hush",)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_hiding_never_fails_and_hiding_twice_changes_nothing(text: str) -> None:
    once = logs.without_secrets(text)
    assert logs.without_secrets(once) == once


@given(st.text("abcdefgh", min_size=8, max_size=40), st.text("0123456789 .,;"), st.text("0123456789 .,;"))
def test_a_value_that_is_to_be_hidden_is_never_written(secret: str, before: str, after: str) -> None:
    logs.hide(secret)
    try:
        assert logs.without_secrets(f"{before}{secret}{after}") == f"{before}{logs.HIDDEN}{after}"
    finally:
        logs._values.clear()


def test_a_database_that_is_away_is_one_line_and_no_traceback() -> None:
    stream = configured(log_format="json")
    for error in (asyncpg.CannotConnectNowError("shutting down"), ConnectionRefusedError("refused"), psycopg.OperationalError("gone")):
        logger.warning("Lost it", exc_info=error)
    logger.warning("Wrong", exc_info=asyncpg.UndefinedTableError("vendor"))
    written = lines(stream)
    assert [line["message"] for line in written[:3]] == [
        "Lost it (CannotConnectNowError: shutting down)",
        "Lost it (ConnectionRefusedError: refused)",
        "Lost it (OperationalError: gone)",
    ]
    assert ["exception" in line for line in written] == [False, False, False, True]
