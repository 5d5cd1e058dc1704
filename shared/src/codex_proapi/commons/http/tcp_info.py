"""Figures of a TCP socket from Linux (`struct tcp_info` in linux/tcp.h); 0 on other systems."""

import socket
import struct
import sys
from typing import Final

_UNACCEPTED: Final = struct.Struct("=24xI")
"""`tcpi_unacked`: of a listening socket, the number of connections not accepted yet."""
_ACKNOWLEDGED: Final = struct.Struct("=120xQ")
"""`tcpi_bytes_acked`: bytes the other side has taken."""

_STATE: Final = struct.Struct("=B")
"""`tcpi_state`, as numbered in include/net/tcp_states.h."""
_RESET: Final = 7
"""State CLOSE."""
_LEFT: Final = frozenset((_RESET, 8))
"""States CLOSE and CLOSE_WAIT (the other side has ended its half)."""


def peer_has_left(sock: socket.socket) -> bool:
    """Whether the other side has closed a connection, though that may not have been read yet."""
    return _field_of(sock, _STATE) in _LEFT


def was_reset(sock: socket.socket) -> bool:
    """Whether the other side has reset a connection, though that may not have been read yet."""
    return _field_of(sock, _STATE) == _RESET


def unaccepted_connections(listener: socket.socket) -> int:
    """The number of connections of a listening socket that are not accepted yet."""
    return _field_of(listener, _UNACCEPTED)


def acknowledged_bytes(sock: socket.socket) -> int:
    """How many bytes the other side of a connection has taken since it was made."""
    return _field_of(sock, _ACKNOWLEDGED)


def _field_of(sock: socket.socket, field: struct.Struct) -> int:
    if sys.platform != "linux" or sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return 0
    try:
        facts = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, field.size)
        return int(field.unpack(facts)[0])
    except (OSError, struct.error):
        return 0
