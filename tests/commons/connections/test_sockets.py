"""Several addresses of a host: the one that answers wins, and is tried first the next time."""

import asyncio
import socket
from typing import Any

import pytest
import uvloop
from support.free_ports import free_port

from codex_proapi.commons.connections.addresses import AddressBook, Endpoint
from codex_proapi.commons.connections.sockets import connected_socket

LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
NOWHERE = ("192.0.2.1", 9)
"""A documentation network: nothing there ever answers, or the network is refused at once."""


def endpoint(host: str, port: int) -> Endpoint:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, 6, "", (host, port))


@LOOPS
@pytest.mark.parametrize("dead", [NOWHERE, ("127.0.0.1", 0), ("::1", 0)])
def test_of_several_the_one_that_answers_is_connected_to_and_the_dead_one_remembered(
    run: Any, dead: tuple[str, int]
) -> None:
    dead = (dead[0], dead[1] or free_port())

    async def connect() -> str:
        listener = await asyncio.start_server(lambda _, w: w.close(), "127.0.0.1", 0)
        alive = listener.sockets[0].getsockname()
        book = AddressBook()
        with await connected_socket(book, [endpoint(*dead), endpoint(*alive)]) as sock:
            assert sock.getpeername() == alive
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        listener.close()
        return repr(book)

    assert run(connect()) == "<AddressBook of 0 hosts, 1 addresses dead>"


@LOOPS
def test_where_nobody_answers_no_address_is_worse_than_another(run: Any) -> None:
    async def connect() -> str:
        book = AddressBook()
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await connected_socket(
                book, [endpoint("127.0.0.1", free_port()), endpoint("127.0.0.1", free_port())]
            )
        return repr(book)

    assert run(connect()) == "<AddressBook of 0 hosts, 0 addresses dead>"
