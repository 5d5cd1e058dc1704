"""Answers over WebSocket that their client leaves: the client's end is no fault of the transport."""

import asyncio
import time

from support.upstream_sockets import SocketScene, a_message, scene

from codex_proapi.gateway.upstream.transport import SilenceBudget
from codex_proapi.gateway.upstream.websocket.socket_stream import SocketStream


class Taker:
    """A receiver of a stream."""

    def __init__(self) -> None:
        self.size = 0

    def received(self, data: bytes) -> bool:
        self.size += len(data)
        return True

    def ended(self, error: Exception | None) -> None:
        pass


async def left(play: SocketScene, number: int) -> str:
    """Ask, take the answer as it is pushed, leave in the middle of it; gives the way it came."""
    request = play.request([a_message("say " + "word " * 40)], conversation=f"talk {number}")
    opened = await play.transport.open(request, SilenceBudget.begin(time.monotonic))
    assert isinstance(opened, SocketStream)
    opened.push_to(Taker())
    await asyncio.sleep(0.05)
    opened.close()
    await asyncio.sleep(0.1)  # the connection's end is told
    return opened.transport


async def test_a_client_that_leaves_is_no_fault_of_websocket() -> None:
    async with scene() as play:
        play.sim.world.pace = 0.02
        for number in range(3):
            assert await left(play, number) == "websocket"
        assert play.faults("broken") == 0
