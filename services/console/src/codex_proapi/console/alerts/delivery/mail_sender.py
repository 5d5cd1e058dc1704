"""Sends alerts by e-mail: SMTP with STARTTLS (`smtp://`) or TLS (`smtps://`), in a thread.

A password is never sent without TLS. Without TLS mail goes to addresses only that the operator
allows, such as a relay inside the network.
"""

import asyncio
import email.message
import email.utils
import ipaddress
import smtplib
import socket
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from codex_proapi.commons.runtime.settings import Network
from codex_proapi.commons.runtime.tls import client_context
from codex_proapi.console.alerts.alert_store import Outcome
from codex_proapi.console.alerts.delivery.messages import Message
from codex_proapi.console.alerts.delivery.networks import (
    AddressRefused,
    HostUnknown,
    Resolve,
    is_inside,
    resolve_checked,
)
from codex_proapi.console.alerts.destinations import Destination, Secrets
from codex_proapi.console.alerts.kinds import Notification

STEP_SECONDS: Final = 15.0
"""Most seconds for one step of the dialogue."""
SECONDS: Final = 45.0
"""Most seconds for one try."""
_PORTS: Final = {"smtp": 587, "smtps": 465}
_PERMANENT: Final = 500


class MailSender:
    """Sends e-mail.

    Args:
        allowed: Address ranges that the operator allows beside public ones.
        resolve: Finds the addresses of a host; None asks the system.
    """

    def __init__(self, *, allowed: Sequence[Network], resolve: Resolve | None = None) -> None:
        self._allowed = allowed
        self._resolve = resolve

    def __repr__(self) -> str:
        return f"<MailSender, {len(self._allowed)} ranges allowed>"

    async def send(
        self,
        destination: Destination,
        opened: Secrets,
        notification: Notification,
        message: Message,
    ) -> Outcome:
        """Try once."""
        parts = urlsplit(opened.address)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        mail = mail_of(destination, notification, message)
        try:
            async with asyncio.timeout(SECONDS):
                found = await resolve_checked(
                    host, port, allowed=self._allowed, resolve=self._resolve
                )
        except AddressRefused:
            return Outcome(code="address_refused")
        except (HostUnknown, TimeoutError):
            return Outcome(code="host_unknown", again=True)
        inside = all(is_inside(ipaddress.ip_address(each), self._allowed) for each in found)
        session = _Session(found, implicit_tls=parts.scheme == "smtps")
        login = unquote(parts.username or ""), opened.secret
        try:
            async with asyncio.timeout(SECONDS):
                return await asyncio.to_thread(
                    _deliver, session, (host, port), login=login, mail=mail, plain=inside
                )
        except TimeoutError:
            return Outcome(code="timeout", again=True)
        finally:
            session.close()  # a thread that still waits for the server is let go


def mail_of(
    destination: Destination, notification: Notification, message: Message
) -> email.message.EmailMessage:
    """The e-mail; its id is the same at every try."""
    mail = email.message.EmailMessage()
    mail["From"] = destination.sender
    mail["To"] = ", ".join(destination.recipients)
    mail["Subject"] = message.title
    mail["Date"] = email.utils.formatdate(notification.at)
    domain = destination.sender.rpartition("@")[2]
    mail["Message-ID"] = f"<{notification.id}.{destination.id}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(message.lines or (message.title,)) + "\n")
    return mail


class _Session(smtplib.SMTP):
    """A dialogue with a server at addresses that were checked; the name is for its certificate."""

    def __init__(self, addresses: Sequence[str], *, implicit_tls: bool) -> None:
        self._addresses = addresses
        self.implicit_tls = implicit_tls
        super().__init__(local_hostname=socket.gethostname(), timeout=STEP_SECONDS)

    def open(self, host: str, port: int) -> None:
        """Connect and read the greeting."""
        self._host = host  # what `starttls` expects in the certificate
        code, said = self.connect(host, port)
        if code != 220:  # noqa: PLR2004 - "service ready"
            raise smtplib.SMTPConnectError(code, said)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        fault: OSError = OSError("no address")
        for address in self._addresses:
            try:
                connected = socket.create_connection((address, port), timeout)
            except OSError as error:
                fault = error
                continue
            if not self.implicit_tls:
                return connected
            return client_context().wrap_socket(connected, server_hostname=host)
        raise fault


class _Insecure(Exception):
    """The server offers no TLS where it is needed."""


def _deliver(
    session: _Session,
    server: tuple[str, int],
    *,
    login: tuple[str, str],
    mail: email.message.EmailMessage,
    plain: bool,
) -> Outcome:
    """The dialogue; blocking."""
    try:
        _speak(session, server, login=login, mail=mail, plain=plain)
    except _Insecure:
        return Outcome(code="insecure_refused")
    except smtplib.SMTPAuthenticationError as error:
        return Outcome(code="smtp_sign_in_refused", status=error.smtp_code)
    except smtplib.SMTPRecipientsRefused as error:
        status = max((code for code, _ in error.recipients.values()), default=0)
        return Outcome(code="smtp_refused", status=status, again=status < _PERMANENT)
    except smtplib.SMTPResponseException as error:
        status = error.smtp_code
        return Outcome(code="smtp_refused", status=status, again=status < _PERMANENT)
    except (smtplib.SMTPException, ssl.SSLError, OSError, ValueError):
        return Outcome(code="unreachable", again=True)
    return Outcome(code="delivered", status=250)


def _speak(
    session: _Session,
    server: tuple[str, int],
    *,
    login: tuple[str, str],
    mail: email.message.EmailMessage,
    plain: bool,
) -> None:
    session.open(*server)
    session.ehlo_or_helo_if_needed()
    if not session.implicit_tls:
        if session.has_extn("starttls"):
            session.starttls(context=client_context())
            session.ehlo()
        elif login[1] or not plain:
            raise _Insecure
    if login[1]:
        session.login(*login)
    session.send_message(mail)
    # It has been taken; how the dialogue ends changes nothing.
    try:
        session.quit()
    except (smtplib.SMTPException, OSError):
        session.close()
