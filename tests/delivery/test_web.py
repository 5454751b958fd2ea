"""Requests reach who they are meant for, within their time, and nobody else."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from mlreg.delivery.addresses import Allowed, Place, check_place, masked, parse
from mlreg.delivery.message import Outcome
from mlreg.delivery.web import post
from mlreg.errors import InvalidInput
from tests.receiving import (
    Receiver,
    answering,
    babbling,
    dripping,
    endless,
    receiver,
    resetting,
    silent,
)

LOOPBACK = Allowed("127.0.0.1")


def send(found: Receiver, *, seconds: float = 5.0, allowed: Allowed = LOOPBACK) -> Outcome:
    return post(parse(found.url("/a?b=c")), "{}", {"x": "y"}, allowed=allowed, seconds=seconds)


def test_a_request_arrives_as_it_was_sent():
    with receiver(answering(200, body="thanks")) as found:
        outcome = send(found)
    assert outcome == Outcome(True, "answered 200", answer="thanks")
    (request,) = found.requests
    assert request.line == "POST /a?b=c HTTP/1.1"
    assert request.headers["host"] == f"127.0.0.1:{found.port}"
    assert (request.headers["x"], request.body) == ("y", "{}")


@pytest.mark.parametrize("status", [204, 202, 299])
def test_every_status_of_success_counts(status: int):
    with receiver(answering(status)) as found:
        assert send(found).succeeded


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, "answered 500"), (404, "answered 404"), (302, "is not followed to another address")],
)
def test_other_statuses_are_failures_that_name_it(status: int, said: str):
    with receiver(answering(status)) as found:
        outcome = send(found)
    assert not outcome.succeeded
    assert said in outcome.said


def test_a_redirect_is_not_followed():
    with receiver() as inner:
        with receiver(answering(302, f"location: {inner.url()}")) as found:
            assert not send(found).succeeded
        assert inner.requests == []


def test_a_receiver_can_leave_for_good_and_ask_for_a_pause():
    with receiver(answering(410)) as found:
        assert send(found).is_gone
    with receiver(answering(503, "retry-after: 120")) as found:
        assert send(found).wait_seconds == 120
    with receiver(answering(503, "retry-after: soon")) as found:
        assert send(found).wait_seconds == 0


@pytest.mark.parametrize("reply", [silent, dripping])
def test_who_does_not_answer_in_time_is_cut_off(reply: Callable[[socket.socket, Event], None]):
    with receiver(reply) as found:
        assert send(found, seconds=0.3) == Outcome(False, "took longer than 0.3 s")


def test_an_answer_without_end_is_read_to_its_limit():
    with receiver(endless) as found:
        outcome = send(found)
    assert outcome.succeeded
    assert len(outcome.answer) <= 4096


@pytest.mark.parametrize("reply", [resetting, babbling])
def test_what_is_no_answer_is_a_failure(reply: Callable[[socket.socket, Event], None]):
    with receiver(reply) as found:
        assert not send(found).succeeded


def test_nobody_there_is_a_failure():
    with receiver() as found:
        port = found.port
    place = Place("http", "127.0.0.1", port, "/")
    outcome = post(place, "", {}, allowed=LOOPBACK, seconds=5)
    assert outcome == Outcome(False, "connection refused")


# --- certificates ---------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost that nobody vouches for, and a server's context with it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=False, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "both.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return path, context


def secured(found: Receiver, host: str = "localhost") -> Outcome:
    place = parse(found.url(scheme="https", host=host))
    return post(place, "{}", {}, allowed=Allowed("localhost, 127.0.0.1"), seconds=5)


def test_a_certificate_that_nobody_vouches_for_is_refused(
    certified: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
):
    path, context = certified
    with receiver(tls=context) as found:
        outcome = secured(found)
        assert outcome.said == "the certificate does not hold: self-signed certificate"
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert secured(found).succeeded
        assert "does not hold" in secured(found, host="127.0.0.1").said
    assert len(found.requests) == 1


def test_who_speaks_no_tls_is_a_failure():
    with receiver(babbling) as found:
        assert not secured(found).succeeded


# --- where a request may go -----------------------------------------------------------------------


class Names:
    """Resolves names as a server for them does that answers otherwise each time."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked += 1
        address = self.answers.pop(0)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]


def test_a_name_is_looked_up_once_and_the_connection_goes_there():
    with receiver() as found:
        # The first answer is what is looked at; a second one, of the loopback, is never asked for.
        names = Names("192.0.2.1", "127.0.0.1")
        place = Place("http", "rebinding.example", found.port, "/")
        allowed = Allowed("192.0.2.0/24")
        outcome = post(place, "", {}, allowed=allowed, seconds=0.3, resolve=names)
        assert not outcome.succeeded
        assert names.asked == 1
        assert found.requests == []


def test_a_name_of_the_loopback_is_refused_before_anything_is_sent():
    with receiver() as found:
        place = Place("http", "rebinding.example", found.port, "/")
        outcome = post(place, "", {}, allowed=Allowed(""), seconds=5, resolve=Names("127.0.0.1"))
        assert "rebinding.example is 127.0.0.1, which is not on the open" in outcome.said
        assert found.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
        "224.0.0.1", "239.1.2.3", "255.255.255.255", "198.18.0.1", "240.0.0.1", "::1", "::",
        "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_what_is_not_on_the_open_internet_is_not_reached(address: str):
    found = ipaddress.ip_address(address)
    assert not Allowed("").address(found)
    assert Allowed(f"other.example, {address}, ::ffff:0:0/96, 127.0.0.0/8, 169.254.0.0/16").address(
        found
    )
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InvalidInput, match="not on the open internet"):
        check_place(parse(f"https://{host}/x"), Allowed(""))


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f::1", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
)
def test_the_open_internet_is_reached(address: str):
    assert Allowed("").address(ipaddress.ip_address(address))


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "localhost"])
def test_another_spelling_of_the_loopback_does_not_help(host: str):
    with receiver() as found:
        outcome = post(
            parse(found.url(host=host)), "", {}, allowed=Allowed("10.0.0.0/8"), seconds=5
        )
        assert not outcome.succeeded
        assert found.requests == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("https://", "http:// or https://"),
        ("example.com", "http:// or https://"),
        ("http://example.com:99999/", "http:// or https://"),
        ("http://example.com:0/", "http:// or https://"),
        ("http://[::1", "http:// or https://"),
        ("https://ada:secret@example.com/", "user or password"),
        ("https://example.com/a b", "no spaces"),
        ("https://example.com/\r\nx: y", "no spaces"),
        ("https://exämple.com/", "ASCII"),
        ("https://example.com/" + "x" * 2000, "2,000"),
        ("", "ASCII"),
    ],
)
def test_what_is_no_address_is_refused(url: str, why: str):
    with pytest.raises(InvalidInput, match=why) as told:
        parse(url)
    assert "secret" not in f"{told.value.message} {told.value.hint}"


def test_an_address_is_shown_without_what_may_be_secret():
    assert masked("https://hooks.example.com/T0/B1/token?key=1") == "https://hooks.example.com/…"
    assert masked("http://example.com:8080") == "http://example.com:8080/"
    assert masked("http://[2606:2800:21f::1]:81/x") == "http://[2606:2800:21f::1]:81/…"
