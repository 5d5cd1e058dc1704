"""E-mail to a real server: TLS, sign-in, what is never sent in the clear."""

import email
import ipaddress
import pathlib
from typing import Any

import pytest
from support.alert_receivers import MailReceiver, mail_receiver
from support.certificates import Authority

from codex_proapi.console.alerts.alert_store import Outcome
from codex_proapi.console.alerts.delivery.mail_sender import MailSender
from codex_proapi.console.alerts.delivery.messages import message_of
from codex_proapi.console.alerts.destinations import Destination, Secrets, Shape
from codex_proapi.console.alerts.kinds import AlertKind, Notification, Phase, Subject
from codex_proapi.console.texts.language import Language

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
TOLD = Notification(
    id="ntf_1",
    kind=AlertKind.ACCOUNT_SIGN_IN,
    phase=Phase.FIRING,
    at=1_790_000_000,
    subjects=(Subject(id="a", name="阿达\nBcc: evil@example.com", state="sign_in"),),
)
MAIL = Destination(
    id="dst_1",
    name="m",
    shape=Shape.EMAIL,
    host="",
    language=Language.CHINESE,
    sender="bot@example.com",
    recipients=("ops@example.com", "lead@example.com"),
)


@pytest.fixture
def authority(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.path))
    return made


async def send(
    receiver: MailReceiver, scheme: str = "smtp", secret: str = "", **options: Any
) -> Outcome:
    opened = Secrets(
        destination="dst_1", address=f"{scheme}://bot@127.0.0.1:{receiver.port}", secret=secret
    )
    sender = MailSender(**{"allowed": LOOPBACK, **options})
    return await sender.send(MAIL, opened, TOLD, message_of(TOLD, MAIL.language))


@pytest.mark.parametrize(("scheme", "implicit"), [("smtp", False), ("smtps", True)])
async def test_mail_arrives_encrypted_and_signed_in(
    authority: Authority, scheme: str, implicit: bool
) -> None:
    async with mail_receiver(authority.server(), implicit=implicit) as receiver:
        outcome = await send(receiver, scheme, "pw")

    mail = email.message_from_string(receiver.mails[0])
    assert outcome == Outcome(code="delivered", status=250)
    assert receiver.encrypted == [True]
    assert receiver.logins == ["\0bot\0pw"]
    assert mail["to"] == "ops@example.com, lead@example.com"
    assert mail["message-id"] == "<ntf_1.dst_1@example.com>"
    assert mail["bcc"] is None


async def test_a_password_is_never_sent_without_tls() -> None:
    async with mail_receiver() as receiver:
        assert (await send(receiver, secret="pw")).code == "insecure_refused"

    assert (receiver.mails, receiver.logins) == ([], [])


async def test_a_relay_that_is_allowed_needs_no_tls_others_do() -> None:
    async with mail_receiver() as receiver:
        assert (await send(receiver)).code == "delivered"
        assert (await send(receiver, allowed=())).code == "address_refused"

    assert len(receiver.mails) == 1


async def test_a_wrong_certificate_gets_no_mail(authority: Authority) -> None:
    tls = authority.server(names=("elsewhere.test",))
    async with mail_receiver(tls) as receiver:
        assert (await send(receiver, secret="pw")).code == "unreachable"

    assert receiver.logins == []


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
async def test_what_a_server_refuses_for_good_is_not_tried_again(verb: str) -> None:
    async with mail_receiver(refuses=[verb]) as receiver:
        outcome = await send(receiver)

    assert outcome == Outcome(code="smtp_refused", status=554)
