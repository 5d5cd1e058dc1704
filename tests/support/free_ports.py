"""Ports for servers that a test starts."""

import contextlib
import os
import random
import socket

FIRST, LAST = 10_000, 32_767
"""Below those that the system gives to connections that go out: one of these may not take the port
of a server while it is started again."""
OURS = range(
    FIRST + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    LAST + 1,
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)
"""Those of them that no other process of the same run of tests gives away."""
_given: set[int] = set()


def free_port() -> int:
    """A port of this machine that nobody listens on, and that no outgoing connection is given.

    No other call gets it, in any process of the same run: a server may bind it later.
    """
    while True:
        port = random.choice(OURS)
        if port in _given:
            continue
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            _given.add(port)
            return port


def loopback_listener() -> socket.socket:
    """A socket that listens on a free port of 127.0.0.1.

    It names its protocol, as those of the services do: asyncio sends small pieces at once (TCP_NODELAY)
    only where it is named, and an answer in two pieces takes 40 ms without.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    return listener
