from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from securechat.server.outgoing.signature import (
    NEW_BYTES,
    SecretInvalid,
    WebhookSecret,
    new_secret,
    parse_secret,
    signed_headers,
)

# The vector of the reference libraries (standard-webhooks, libraries/go/webhook_test.go).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DELIVERY = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP_S = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def now_s() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp())


def test_the_vector_of_the_reference_libraries() -> None:
    assert signed_headers(DELIVERY, TIMESTAMP_S, BODY, [parse_secret(SECRET)]) == {
        "webhook-id": DELIVERY,
        "webhook-timestamp": str(TIMESTAMP_S),
        "webhook-signature": SIGNATURE,
    }


@given(st.binary(min_size=24, max_size=64), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_reference_library_verifies_every_delivery(key: bytes, text: str) -> None:
    secret, body = WebhookSecret(key), text.encode()
    headers = signed_headers("msg_1", now_s(), body, [secret])
    Webhook(secret.revealed()).verify(body, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.revealed()).verify(body + b" ", headers, json_parse=False)


def test_each_of_two_secrets_verifies_while_rotating() -> None:
    new, old, other = (new_secret(secrets.token_bytes) for _ in range(3))
    headers = signed_headers("msg_1", now_s(), b"{}", [new, old])
    assert len(headers["webhook-signature"].split(" ")) == 2
    for each in (new, old):
        Webhook(each.revealed()).verify(b"{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other.revealed()).verify(b"{}", headers)


def test_a_receiver_verifies_by_hand() -> None:
    """As docs/bots.md says."""
    headers = signed_headers("msg_1", TIMESTAMP_S, BODY, [parse_secret(SECRET)])
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + BODY
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert wanted in headers["webhook-signature"].split(" ")


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_is_parsed_as_it_was_shown(key: bytes) -> None:
    shown = WebhookSecret(key).revealed()
    assert parse_secret(shown) == parse_secret(f"  {shown}\n") == parse_secret(shown.rstrip("=")) == WebhookSecret(key)


def test_a_new_secret_is_random_and_of_its_length() -> None:
    asked: list[int] = []

    def token_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(range(count))

    assert new_secret(token_bytes).revealed() == "whsec_" + base64.b64encode(bytes(range(NEW_BYTES))).decode()
    assert asked == [NEW_BYTES]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "begins with whsec_"),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "begins with whsec_"),
        ("whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "asymmetric"),
        ("whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "asymmetric"),
        ("whsec_MfKQ9r8GKYqrTwjU-D8ILPZIo2LaL_Sw", "base64"),
        ("whsec_MfKQ9r8GKYqrTwjU D8ILPZIo2LaLaSw", "base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwA", "cut off"),
        ("whsec_", "24 to 64 bytes behind whsec_, and this one has 0"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "this one has 23"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "this one has 65"),
    ],
)
def test_what_is_no_secret_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(SecretInvalid, match=why) as refused:
        parse_secret(text)
    digits = text.partition("_")[2]
    assert not digits or digits not in str(refused.value), "the sentence repeats it"


def test_no_repr_shows_a_secret() -> None:
    assert repr(parse_secret(SECRET)) == "WebhookSecret(...)"


@pytest.mark.parametrize("delivery_id", ["", "msg.1", "msg 1", "msg\n1", "mség", "x" * 129])
def test_an_id_that_could_make_two_deliveries_alike_is_refused(delivery_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        signed_headers(delivery_id, 1, b"", [parse_secret(SECRET)])


@pytest.mark.parametrize(("timestamp_s", "count"), [(-1, 1), (1, 0), (1, 3)])
def test_what_cannot_be_signed_is_refused(timestamp_s: int, count: int) -> None:
    with pytest.raises(ValueError, match="a delivery"):
        signed_headers("msg_1", timestamp_s, b"", [parse_secret(SECRET)] * count)
