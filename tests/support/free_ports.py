"""Ports for servers that a test starts."""

import contextlib
import random
import socket

FIRST, LAST = 10_000, 32_767
"""Below those that the system gives to connections that go out: one of these may not take the port
of a server while it is started again."""


def free_port() -> int:
    """A port of this machine that nobody listens on, and that no outgoing connection is given."""
    while True:
        port = random.randint(FIRST, LAST)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
