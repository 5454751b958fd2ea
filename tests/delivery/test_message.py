"""Messages are what Standard Webhooks says they are: its own library takes them."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from mlreg import clock
from mlreg.delivery.addresses import Allowed
from mlreg.delivery.channels import check_address, notify
from mlreg.delivery.message import headers, looked_up
from mlreg.errors import InvalidInput
from tests.delivery.test_programs import message
from tests.receiving import answering, receiver

LOOPBACK = Allowed("127.0.0.1")

SECRET = f"whsec_{base64.b64encode(b'0123456789abcdef01234567').decode()}"


def test_what_is_sent_is_verified_by_the_library_of_the_standard():
    told = message()
    sent = headers(told, told.body, at=clock.now(), secret=SECRET)
    found = Webhook(SECRET).verify(told.body, sent)
    assert set(found) == {"type", "timestamp", "data"}
    assert sent["webhook-id"] == "17-abababababab"
    altered = told.body.replace("sentiment", "sentimenT")
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(SECRET).verify(altered, sent)


def test_without_a_secret_nothing_is_signed():
    told = message()
    assert "webhook-signature" not in headers(told, told.body, at=0, secret=None)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "hunter2!", "whsec_ä"])
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str):
    with pytest.raises(InvalidInput, match="16 or more bytes in base64") as told:
        headers(message(), "", at=0, secret=secret)
    assert "hunter2" not in told.value.message


def test_a_variable_is_looked_up():
    assert looked_up("env:X", {"X": "value"}) == "value"
    assert looked_up("https://example.com", {}) == "https://example.com"
    with pytest.raises(InvalidInput, match="X is not set here"):
        looked_up("env:X", {"X": ""})


def test_the_body_is_json_and_says_all_of_the_event():
    data = json.loads(message().body)["data"]
    assert set(data) == {
        "seq", "time", "actor", "action", "object", "model", "reason", "before", "after", "hash",
    }  # fmt: skip


def test_people_get_a_few_lines():
    told = message(reason="error rate")
    assert told.title == "mlreg: rollback sentiment"
    assert told.text == "rollback: sentiment, by ada at 2026-09-21T14:13:20Z\nerror rate"


# What Apprise imports warns on older Pythons.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_channel_that_does_not_take_it_is_a_failure_that_shows_nothing(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    with caplog.at_level(logging.DEBUG):
        outcome = notify(message(), "json://user:hunter2@127.0.0.1:9/path", allowed=LOOPBACK)
    assert outcome.said == "the channel did not take it"
    assert "hunter2" not in caplog.text + "".join(capsys.readouterr())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_no_channel_is_refused():
    with pytest.raises(InvalidInput, match="no address that Apprise knows"):
        check_address("nothing://x", LOOPBACK)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1:{port}/x",
        "form://user:hunter2@localhost:{port}",
        "xml://2130706433:{port}/x",
        "json://[::1]:{port}/x",
        "mailto://user:hunter2@example.com:{port}?smtp=127.0.0.1",
        "ntfy://127.0.0.1:{port}/topic",
    ],
)
def test_a_channel_reaches_what_is_not_allowed_no_more_than_a_request(address: str):
    with receiver() as found:
        outcome = notify(message(), address.format(port=found.port), allowed=Allowed(""))
        assert not outcome.succeeded
        assert "which is not on the open internet" in outcome.said
        assert found.requests == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_channel_that_must_not_be_reached_is_refused_when_it_is_added():
    with pytest.raises(InvalidInput, match="not on the open internet"):
        check_address("json://169.254.169.254/x", Allowed(""))
    # The number of a bot is no address, whatever it would be as one.
    check_address("tgram://2130706433:abcdefg_hijklmnop/12315544/", Allowed(""))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("said", ["", "?redirect=yes"])
def test_a_channel_follows_no_redirect(said: str):
    with receiver() as other, receiver() as found:
        found.reply = answering(302, f"location: {other.url()}")
        outcome = notify(message(), f"json://127.0.0.1:{found.port}/x{said}", allowed=LOOPBACK)
        assert outcome.said == "the channel did not take it"
        assert len(found.requests) == 1
        assert other.requests == []
