"""What an open connection holds of a message that is not whole yet."""

import asyncio
import gc
import logging
import tracemalloc
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.websocket.connection import WebSocketConnection

QUIET = logging.getLogger("tests.framing")
"""The framing's own log would hold every frame, under a `--log-level` of pytest."""
QUIET.setLevel(logging.CRITICAL + 1)


class Wire(asyncio.Transport):
    """A client's end that takes everything."""

    def writelines(self, list_of_data: Any) -> None:
        del list_of_data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        del high, low

    def is_closing(self) -> bool:
        return False


class Owner:
    """Keeps the messages."""

    busy = False

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def message(self, data: bytes, hold: BodyHold, *, text: bool) -> None:
        assert text
        hold.release()
        self.messages.append(data)

    def gone(self) -> None: ...

    def leave(self) -> None: ...

    def second(self) -> None: ...


def connected(owner: Owner) -> WebSocketConnection:
    framing = ServerProtocol(state=State.OPEN, logger=QUIET)
    connection = WebSocketConnection(framing, owner, hold_body=BodyHold)
    connection.connection_made(Wire())
    return connection


def fragment(opcode: Opcode, data: bytes, *, fin: bool = False) -> bytes:
    return Frame(opcode, data, fin=fin).serialize(mask=True)


@pytest.mark.parametrize("piece", [b"", b"{}"])
async def test_small_fragments_hold_no_more_than_they_bring(piece: bytes) -> None:
    owner = Owner()
    connection = connected(owner)
    connection.received(fragment(Opcode.TEXT, piece))
    thousand = fragment(Opcode.CONT, piece) * 1000
    connection.received(thousand)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(10):
            connection.received(thousand)
        gc.collect()  # a gateway in the same process may have made it rare
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    connection.received(fragment(Opcode.CONT, b"", fin=True))

    assert held - before < 50_000 + 2 * 10_000 * len(piece)
    assert owner.messages == [piece * 11_001]


@pytest.mark.parametrize(
    "pieces", [[b"whole"], [b"", b"whole"], [b"who", b"le"], [b"whole", b""], [b"", b"", b""]]
)
async def test_messages_come_whole_one_after_another(pieces: list[bytes]) -> None:
    owner = Owner()
    connection = connected(owner)
    *first, last = (
        (Opcode.CONT if number else Opcode.TEXT, piece) for number, piece in enumerate(pieces)
    )
    wire = b"".join(fragment(*each) for each in first) + fragment(*last, fin=True)

    connection.received(wire * 2)

    assert owner.messages == [b"".join(pieces)] * 2
