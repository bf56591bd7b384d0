"""Signatures of Standard Webhooks, held to its published vector. WH-… names cases of the collection of public semantics."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vendor_mgmt.delivery import signing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"x" * 32).decode()
ID, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")], ids=["WH-01", "WH-03"])
def test_the_published_vector_is_signed_as_published(secret: str) -> None:
    assert signing.headers([secret], ID, AT, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": GOOD,
    }


def test_the_zone_of_the_moment_changes_nothing() -> None:
    manila = AT.astimezone(timezone(timedelta(hours=8)))
    assert signing.headers([SECRET], ID, manila, BODY) == signing.headers([SECRET], ID, AT, BODY)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(301, False), (299, True), (-299, True), (-301, False)], ids=["WH-05", "WH-07", "early", "too-early"]
)
def test_a_signature_holds_for_five_minutes(seconds: int, *, expected: bool) -> None:
    received = signing.headers([SECRET], ID, AT - timedelta(seconds=seconds), BODY)
    assert signing.is_genuine([SECRET], received, BODY, AT) is expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"webhook-timestamp": None}, False, id="WH-09"),
        pytest.param({"webhook-timestamp": "hello"}, False, id="WH-11"),
        pytest.param({"webhook-signature": f"v1,AAAA v1,BBBB {GOOD}"}, True, id="WH-13"),
        pytest.param({"webhook-signature": "v1"}, False, id="WH-15"),
        pytest.param({"webhook-signature": f"junk {GOOD}"}, True, id="WH-17"),
        pytest.param({"webhook-timestamp": "1614265330.9"}, False, id="WH-19"),
        pytest.param({"webhook-timestamp": "²"}, False, id="no-digit"),
        pytest.param({"webhook-id": None}, False, id="no-id"),
        pytest.param({"webhook-signature": ""}, False, id="unsigned"),
    ],
)
def test_what_a_stranger_sends_is_refused_and_never_raises(change: dict[str, str | None], *, expected: bool) -> None:
    received = {**signing.headers([SECRET], ID, AT, BODY), **change}
    present = {name: value for name, value in received.items() if value is not None}
    assert signing.is_genuine([SECRET], present, BODY, AT) is expected


def test_while_receivers_change_over_both_secrets_hold() -> None:
    received = signing.headers([OTHER, SECRET], ID, AT, BODY)
    assert signing.is_genuine([SECRET], received, BODY, AT)
    assert signing.is_genuine([OTHER], received, BODY, AT)
    assert not signing.is_genuine([OTHER], signing.headers([SECRET], ID, AT, BODY), BODY, AT)


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text()), st.binary())
def test_any_headers_and_body_are_answered(received: dict[str, str], body: bytes) -> None:
    assert signing.is_genuine([SECRET], received, body, AT) is False


@pytest.mark.parametrize("secret", ["whsec_!", "whsec_????", "whsec_" + base64.b64encode(b"short").decode()])
def test_a_secret_that_is_none_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(signing.BadSecret) as refused:
        signing.key_of(secret)
    assert secret not in str(refused.value)
