"""What all outgoing connections of a process share: addresses, the pace to each host, TLS."""

import functools
import ssl

from codex_proapi.commons.connections.addresses import AddressBook
from codex_proapi.commons.connections.pace import DialPace
from codex_proapi.commons.runtime.tls import client_context


class Outgoing:
    """One for each process; a client that is given none has its own."""

    def __init__(self) -> None:
        self.book = AddressBook()
        self._paces: dict[tuple[str, int], DialPace] = {}

    def __repr__(self) -> str:
        return f"<Outgoing {self.book!r}, {list(self._paces.values())}>"

    def pace(self, host: str, port: int) -> DialPace:
        """The pace of new connections to a host; hosts are few, they stand in settings."""
        return self._paces.setdefault((host, port), DialPace(host))

    @functools.cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS context, which offers HTTP/1.1; reading the authorities takes time and memory."""
        context = client_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
