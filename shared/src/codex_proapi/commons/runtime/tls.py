"""TLS of all outgoing connections: the trust store they share, and sessions that are resumed.

The trust store is the system's certificate authorities, or those SSL_CERT_FILE or SSL_CERT_DIR name;
where there are none, certifi's.
"""

import ssl
from typing import Final

import certifi

MOST_HOSTS: Final = 64
"""Hosts whose sessions a context keeps."""


def client_context() -> ssl.SSLContext:
    """A context for one client; certificates and host names are checked, sessions resumed."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    found = ssl.get_default_verify_paths()
    if found.cafile is None and found.capath is None:
        context.load_verify_locations(certifi.where())
    return context


class _ResumingObject(ssl.SSLObject):
    """One connection's TLS; tells its context when the handshake is done, or has failed."""

    def do_handshake(self) -> None:
        """Go on with the handshake."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError:
            self.context.forget(self)  # type: ignore[attr-defined]  # made by ResumingContext
            raise
        self.context.keep(self)  # type: ignore[attr-defined]  # made by ResumingContext


class ResumingContext(ssl.SSLContext):
    """A client's context whose connections offer the session of the last one to the same host.

    Neither asyncio nor uvloop can be given a session, but both ask the context for the TLS of each
    connection. A server of TLS 1.3 sends its tickets after the handshake, so they are looked for in
    the last connection when the next one is made; its TLS object is kept for that.
    """

    sslobject_class = _ResumingObject

    def __init__(self, protocol: int) -> None:
        del protocol  # __new__ has taken it
        self._last: dict[str, ssl.SSLObject] = {}
        self._sessions: dict[str, ssl.SSLSession] = {}

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - ssl's signature
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """The TLS of one connection."""
        return super().wrap_bio(
            *(incoming, outgoing, server_side, server_hostname),
            session or self._session(_name(server_hostname)),
        )

    def keep(self, connection: ssl.SSLObject) -> None:
        """Look for a session in this connection when the next one to its host is made."""
        name = _name(connection.server_hostname)
        if len(self._last) >= MOST_HOSTS and name not in self._last:
            self._last.clear()
            self._sessions.clear()
        self._last[name] = connection

    def forget(self, connection: ssl.SSLObject) -> None:
        """Offer no session to a host with which a handshake has failed."""
        name = _name(connection.server_hostname)
        self._last.pop(name, None)
        self._sessions.pop(name, None)

    def _session(self, name: str) -> ssl.SSLSession | None:
        last = self._last.get(name)
        found = last.session if last is not None else None
        if found is not None and (found.has_ticket or found.id):
            self._sessions[name] = found
            del self._last[name]  # reading a session costs as much as checking a certificate
        return self._sessions.get(name)


def _name(server_hostname: str | bytes | None) -> str:
    if isinstance(server_hostname, bytes):
        return server_hostname.decode("ascii", "replace")
    return server_hostname or ""
