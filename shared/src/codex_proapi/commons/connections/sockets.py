"""Connects TCP sockets: several addresses raced, and the system made to notice a dead peer."""

import socket
from collections.abc import Sequence
from typing import Final

from aiohappyeyeballs import start_connection

from codex_proapi.commons.connections.addresses import AddressBook, Endpoint

NEXT_ADDRESS_SECONDS: Final = 0.25
"""Seconds after which the next of several addresses is tried in parallel (RFC 8305, section 5)."""
DEAD_SECONDS: Final = 20
"""Seconds that sent bytes, or TCP keep-alive probes, may go unacknowledged."""
WATCHING: Final = tuple(
    (getattr(socket, option), value)
    for option, value in (
        ("TCP_KEEPIDLE", DEAD_SECONDS),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", DEAD_SECONDS * 1000),
    )
    if hasattr(socket, option)  # not every system has each
)
"""Options of TCP, and their values, with which the system notices a dead peer."""


async def connected_socket(book: AddressBook, endpoints: Sequence[Endpoint]) -> socket.socket:
    """A socket that is connected to the first of these addresses that answers.

    The book learns which one it was, and which before it have not answered. Raises OSError.
    """
    tried: list[tuple[Endpoint, socket.socket]] = []

    def make(endpoint: Endpoint) -> socket.socket:
        made = socket.socket(family=endpoint[0], type=endpoint[1], proto=endpoint[2])
        tried.append((endpoint, made))
        return made

    try:
        sock = await start_connection(
            endpoints, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=0, socket_factory=make
        )
    except RuntimeError as error:  # uvloop's, of a socket that was closed meanwhile
        raise ConnectionAbortedError from error
    won = next(at for at, (_, made) in enumerate(tried) if made is sock)
    book.answered(tried[won][0], instead_of=[endpoint for endpoint, _ in tried[:won]])
    _watch_peer(sock)
    return sock


def _watch_peer(sock: socket.socket) -> None:
    """Have the system end a connection whose peer or network path is gone (TCP keep-alive)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in WATCHING:
        sock.setsockopt(socket.IPPROTO_TCP, option, value)
