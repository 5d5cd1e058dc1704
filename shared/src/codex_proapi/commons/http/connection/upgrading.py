"""A connection whose client offers an upgrade, and the body of a request whose offer is not taken."""

import asyncio
from typing import TYPE_CHECKING

import httptools

from codex_proapi.commons.http.connection.sweep import SweptConnection
from codex_proapi.commons.http.connection.upgrade_body import UpgradeBody
from codex_proapi.commons.http.upgrade import ServerConnection, UpgradedConnection

if TYPE_CHECKING:
    from codex_proapi.commons.http.connection.heads import Header


class UpgradingConnection(SweptConnection):
    """The part of a client's connection that offers of an upgrade concern.

    Args:
        loop: the running loop.
        siblings: all connections of the server.
    """

    __slots__ = ("_after_offer", "_headers", "_upgrade_body", "_upgrade_offered")

    def __init__(self, loop: asyncio.AbstractEventLoop, siblings: "set[ServerConnection]") -> None:
        super().__init__(loop, siblings)
        self._headers: list[Header] = []
        """Those of the request that came last."""
        self._upgrade_body: UpgradeBody | None = None
        self._upgrade_offered = False
        self._after_offer = b""

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        raise NotImplementedError

    def _stop_at_upgrade(self, rest: bytes) -> None:
        """What follows an offer is the body, or another protocol if the application takes it."""
        try:
            self._refuse_upgrade(rest)
        except httptools.HttpParserError:
            self.refuse(self._fault)
            return
        if self._upgrade_offered:
            self._after_offer = rest
            self.pause_reading()  # until the application has taken or refused it

    def _refuse_upgrade(self, rest: bytes) -> None:
        """Answer the request itself, on a connection that is closed after it.

        The parser stops where an upgrade is offered and would take the body for another request:
        Java's client offers h2c with every POST, and its body was seen to get lost.
        """
        if self.cycle is not None:
            self.cycle.keep_alive = False
        self._upgrade_body = UpgradeBody(self._headers, self.on_body)
        self._take_upgrade_body(rest)

    def _hand_over(self, connection: UpgradedConnection) -> None:
        """Give the transport to a connection that speaks another protocol: see `UpgradeOffer.take`.

        This object leaves the server's connections; the other takes its place.
        """
        transport, cycle = self.transport, self.cycle
        if cycle is None or cycle.disconnected or transport.is_closing():
            raise ConnectionResetError
        cycle.response_started = cycle.response_complete = True  # nothing more is sent
        self._siblings.discard(self)
        connection.belong_to(self._siblings)
        connection.connection_made(transport)
        transport.set_protocol(connection)
        self.resume_reading()
        if self._after_offer:
            connection.data_received(self._after_offer)

    def _take_upgrade_body(self, data: bytes) -> None:
        """Take the body of a request whose upgrade was refused; what follows it is dropped."""
        body, cycle = self._upgrade_body, self.cycle
        if body is None or cycle is None or cycle.response_complete:
            return
        cycle.more_body = True  # the parser has told of an end at the upgrade
        body.feed(data)
        cycle.more_body = not body.complete
        cycle.wake()
