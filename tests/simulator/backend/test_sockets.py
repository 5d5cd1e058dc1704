"""The simulated backend over WebSocket: what it insists on, and how it fails."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from support.sockets import BETA, Socket, create, socket_to, text_of, user

from codex_proapi.simulator import Simulator


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator() as made:
        yield made


def opening(sim: Simulator, **changes: str) -> dict[str, str]:
    """A valid handshake's headers."""
    unwanted = {"content-type", "accept"}
    own = {k: v for k, v in sim.headers("ada").items() if k not in unwanted}
    return {**own, **BETA, **changes}


def asked(say: str = "say hello", **fields: Any) -> dict[str, Any]:
    return create(say, **{**SENT, **fields})


SENT = {
    "tools": [],
    "tool_choice": "auto",
    "reasoning": {"effort": "low"},
    "include": [],
}


def to(sim: Simulator, **changes: str) -> Any:
    return socket_to(f"{sim.base_url}/responses", opening(sim, **changes))


async def turn(socket: Socket, say: str = "say hello", **fields: Any) -> list[Any]:
    await socket.send(asked(say, **fields))
    return await socket.answer()


async def test_an_increment_is_answered_on_the_connection_that_made_the_response(
    sim: Simulator,
) -> None:
    async with to(sim) as socket:
        prepared = await turn(socket, generate=False, input=[user("rules")])
        first = await turn(socket, previous_response_id=prepared[-1]["response"]["id"])
        await socket.send(asked(previous_response_id=prepared[-1]["response"]["id"]))
        again = await socket.receive()

        assert text_of(first) == "hello"
        assert again["type"] == "keepalive"  # not its last one any more: nothing else ever comes
    assert [each.method for each in sim.turns] == ["WEBSOCKET"] * 3


async def test_a_response_of_another_connection_gets_silence(sim: Simulator) -> None:
    async with to(sim) as one, to(sim) as other:
        made = (await turn(one))[-1]["response"]["id"]
        await other.send(asked(previous_response_id=made))

        assert [(await other.receive())["type"] for _ in range(3)] == ["keepalive"] * 3


async def test_an_unknown_response_is_refused(sim: Simulator) -> None:
    async with to(sim) as socket:
        [error] = await turn(socket, previous_response_id="resp_unknown")

    assert (error["status"], error["error"]["code"]) == (400, "previous_response_not_found")


async def test_a_connection_is_good_for_an_hour(sim: Simulator) -> None:
    async with to(sim) as socket:
        sim.world.socket_seconds = -1
        [error] = await turn(socket)

        assert error["error"]["code"] == "websocket_connection_limit_reached"
        assert await socket.receive() == 1000


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"openai-beta": ""}, 400),
        ({"content-type": "application/json"}, 400),
        ({"x-openai-internal-codex-responses-lite": "true"}, 400),
        ({"authorization": "Bearer x"}, 401),
    ],
)
async def test_a_handshake_that_is_no_clis_is_refused(
    sim: Simulator, changes: dict[str, str], status: int
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with to(sim, **changes):
            pass

    assert refused.value.status == status


@pytest.mark.parametrize("frame", ["{", "[]", '{"type":"response.append"}'])
async def test_other_frames_are_refused(sim: Simulator, frame: str) -> None:
    async with to(sim) as socket:
        await socket.ws.send_str(frame)

        assert (await socket.receive())["status"] == 400


@pytest.mark.parametrize(
    ("fault", "first", "code"),
    [
        ("closed_1011_frame", None, 1011),
        ("closed_1001_created", "response.created", 1001),
        ("closed_1000_end", "response.created", 1000),
        ("connection_reset", None, 1006),
    ],
)
async def test_a_connection_ends_as_scripted(
    sim: Simulator, fault: str, first: str | None, code: int
) -> None:
    async with to(sim) as socket:
        sim.script(fault)
        await socket.send(asked())
        found = []
        while isinstance(each := await socket.receive(), dict):
            found.append(each["type"])

        assert (found[0] if found else None, each) == (first, code)
