"""Sends the events of a response as frames, with the faults of the way: waits, cuts, close codes."""

import asyncio
from typing import Any

import msgspec
from aiohttp import web

from codex_proapi.simulator.backend.events import StreamEvent
from codex_proapi.simulator.http.connections import reset
from codex_proapi.simulator.state.faults import Fault
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.world import World

_NO_JSON = "no json {"


class Left(Exception):
    """The connection was ended on purpose."""

    def __init__(self, ending: str) -> None:
        super().__init__(ending)
        self.ending = ending


async def deliver_frames(
    lines: list[StreamEvent],
    ws: web.WebSocketResponse,
    request: web.Request,
    *,
    fault: Fault,
    received: ReceivedRequest,
    world: World,
) -> None:
    """Send every event, or as many as the fault lets pass. Raises Left."""
    deltas, troubled = 0, False
    for line in lines:
        due = fault.words == 0 or (line.is_delta and deltas >= fault.words)
        if not troubled and due:
            troubled = True
            await world.wait(fault.silence)
            if fault.garbage:
                await ws.send_str(_NO_JSON)
            if fault.close and fault.close_at == "words":
                await ws.close(code=fault.close)
                raise Left("cut")
        if line.is_delta:
            await world.wait(fault.pace)
        deltas += line.is_delta
        data = msgspec.json.encode(line.event).decode()
        if fault.binary:
            await ws.send_bytes(data.encode())
        else:
            await ws.send_str(data)
        received.bytes_sent += len(data)
        if fault.cut_after is not None and received.bytes_sent >= fault.cut_after:
            await asyncio.sleep(0.02)
            reset(request)
            raise Left("cut")
        if fault.close and fault.close_at == "created":
            await ws.close(code=fault.close)
            raise Left("cut")
    if fault.close and fault.close_at == "end":
        await ws.close(code=fault.close)


def end_of(lines: list[StreamEvent]) -> list[Any] | None:
    """The finished items of a whole response, in their order; None if it does not end."""
    if not lines or lines[-1].event["type"] != "response.completed":
        return None
    done = [line.event for line in lines if line.event["type"] == "response.output_item.done"]
    return [event["item"] for event in sorted(done, key=lambda event: event["output_index"])]
