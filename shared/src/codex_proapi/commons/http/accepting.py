"""Listening sockets: listened on several times under uvloop, and emptied before they are closed."""

import asyncio
import contextlib
import socket
from collections.abc import Iterable, Sequence
from typing import Final

from codex_proapi.commons.http.tcp_info import unaccepted_connections

LAST_ACCEPT_SECONDS: Final = 5
"""How long connections that wait to be accepted are accepted before the sockets are closed."""
DUPLICATES: Final = 8
"""How often each listening socket is listened on under uvloop.

uvloop accepts one connection in each turn of its loop for each socket it listens on, asyncio as
many as there are. While 800 streams saturated a process, half of 500 new clients waited 0.3 to
1.0 s with one listener, 0.04 to 0.27 s with eight, and no less with sixteen. A listener costs 4 µs
for each new connection, which costs 200 µs anyway, and one file descriptor.
"""


def duplicated(
    listening: Iterable[socket.socket], loop: asyncio.AbstractEventLoop
) -> list[socket.socket]:
    """Duplicates of the listening sockets, as many as the loop needs; the caller closes them."""
    count = DUPLICATES if type(loop).__module__.startswith("uvloop") else 1
    return [each.dup() for each in listening for _ in range(count)]


async def accept_waiting(listeners: Sequence[socket.socket]) -> None:
    """Let the loop accept the connections that wait: closing the sockets would reset them unanswered.

    Args:
        listeners: the sockets the loop listens on; at most LAST_ACCEPT_SECONDS are spent on them.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LAST_ACCEPT_SECONDS
    with contextlib.ExitStack() as stack:
        copies = [each.dup() for each in listeners]
        for copy in copies:
            stack.callback(copy.close)
        # One turn of the loop accepts what has come; there is no event to wait for.
        while any(map(unaccepted_connections, copies)) and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0)
