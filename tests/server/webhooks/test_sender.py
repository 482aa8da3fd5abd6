"""Where calls may go, and where not: checked against real sockets and real TLS on loopback."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent.domains import Address
from agent.sender import Sender, admits, checked_url
from tests.server.webhooks.house import Receiver, receiving
from tools.errors import InvalidParameters

pytestmark = pytest.mark.anyio
LOOPBACK = ipaddress.ip_address("127.0.0.1")
NAME = "hooks.example"


class Names:
    """A name server of the test's: each look gets the next answer, the last one again and again."""

    def __init__(self, *answers: Sequence[Address]) -> None:
        self.answers = list(answers)
        self.looks: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[Address]:
        self.looks.append(host)
        return list(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begun = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begun)
        .not_valid_after(begun + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


async def send(url: str, **options: object) -> tuple[int | None, str | None]:
    sender = Sender(**options)  # pyright: ignore[reportArgumentType]  # the test's options
    answer = await sender.send(url, b'{"a":1}', {"x-signature": "s"})
    await sender.close()
    return answer.status_code, answer.error


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/webhook",
        "ftp://example.com/",
        "http://example.com/webhook",
        "http://10.0.0.1/webhook",
        "https://10.0.0.1/webhook",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fe80::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://0.0.0.0/",
        "https://user:password@example.com/",
        "https:///path",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "http://localhost.example.com/",
        f"https://example.com/{'a' * 2048}",
    ],
)
def test_urls_that_could_never_be_called_are_refused_at_once(url: str) -> None:
    with pytest.raises(InvalidParameters):
        checked_url(url, private=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/webhook?token=1",
        "https://example.com:8443/",
        "https://bücher.example/",
        "http://localhost:3000/webhook",
        "http://127.0.0.1:3000/",
        "http://[::1]:3000/",
        "https://93.184.216.34/",
    ],
)
def test_public_https_and_loopback_http_can_be_called(url: str) -> None:
    assert checked_url(url, private=False)


def test_a_private_address_can_be_allowed_but_never_over_plain_http() -> None:
    assert checked_url("https://10.0.0.1/webhook", private=True)
    with pytest.raises(InvalidParameters):
        checked_url("http://10.0.0.1/webhook", private=True)


def test_loopback_is_for_those_who_name_it_not_for_a_name_that_leads_there() -> None:
    assert admits("127.0.0.1", LOOPBACK, private=False)
    assert admits("localhost", LOOPBACK, private=False)
    assert not admits("attacker.example", LOOPBACK, private=False)
    assert not admits("localhost", ipaddress.ip_address("10.0.0.1"), private=True)


async def test_a_name_that_leads_to_a_private_address_is_not_called(receiver: Receiver) -> None:
    port = receiver.url.split(":")[2]
    error = await send(f"https://{NAME}:{port}", look_up=Names([LOOPBACK]))
    assert error == (None, "the URL leads to a private address, which is not allowed")
    assert receiver.calls == []


async def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_is_looked_up_once(
    tmp_path: Path,
) -> None:
    certificate_file, key_file = certificate(tmp_path, NAME)
    tls = ssl.create_default_context(cafile=str(certificate_file))
    async with receiving(Receiver(), ssl_certfile=certificate_file, ssl_keyfile=key_file) as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        names = Names([LOOPBACK], [ipaddress.ip_address("192.0.2.1")])
        assert await send(f"https://{NAME}:{port}/webhook", private=True, tls=tls, look_up=names) == (200, None)
    assert names.looks == [NAME]
    assert receiver.calls[0].headers["host"] == f"{NAME}:{port}"
    assert receiver.calls[0].raw == b'{"a":1}'


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    certificate_file, key_file = certificate(tmp_path, "other.example")
    tls = ssl.create_default_context(cafile=str(certificate_file))
    async with receiving(Receiver(), ssl_certfile=certificate_file, ssl_keyfile=key_file) as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        status, error = await send(f"https://{NAME}:{port}/", private=True, tls=tls, look_up=Names([LOOPBACK]))
    assert status is None
    assert error is not None
    assert "certificate verify failed" in error
    assert receiver.calls == []


async def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    certificate_file, key_file = certificate(tmp_path, NAME)
    async with receiving(Receiver(), ssl_certfile=certificate_file, ssl_keyfile=key_file) as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        status, error = await send(f"https://{NAME}:{port}/", private=True, look_up=Names([LOOPBACK]))
    assert (status, receiver.calls) == (None, [])
    assert error is not None
    assert "certificate verify failed" in error


async def test_redirects_are_not_followed(receiver: Receiver) -> None:
    async with receiving(Receiver(headers={"location": receiver.url}, answers=lambda _call: 307)) as redirecting:
        assert await send(redirecting.url) == (307, "HTTP 307 (redirects are not followed)")
    assert receiver.calls == []


async def test_a_receiver_that_does_not_answer_in_time_is_let_go() -> None:
    async with receiving(Receiver(held=asyncio.Event())) as silent:
        assert await send(silent.url, limit=0.3) == (None, "no answer within 0.3 seconds")


async def test_an_endless_answer_is_not_read() -> None:
    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await send(f"http://127.0.0.1:{port}/") == (200, None)
    server.close()


async def test_the_next_address_is_tried_when_the_first_cannot_be_reached(receiver: Receiver) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    names = Names([ipaddress.ip_address("::1"), LOOPBACK])  # the receiver listens on IPv4 alone
    assert await send(f"http://localhost:{port}/webhook", look_up=names) == (200, None)


async def test_nobody_listening_and_no_such_name_are_answers_not_exceptions() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    status, error = await send(f"http://127.0.0.1:{port}/")
    assert (status, (error or "").startswith("could not connect: ")) == (None, True)
    assert await send("https://nowhere.invalid/", look_up=Names([])) == (
        None,
        "could not connect: the name does not resolve",
    )


async def test_a_receiver_that_says_no_http_is_an_answer_too() -> None:
    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    status, error = await send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    server.close()
    assert status is None
    assert error is not None
    assert error.startswith("the connection broke")
