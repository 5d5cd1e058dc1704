"""What an exchange needed is freed with it, not when the garbage collector comes by."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.gateways import Stage, a_chat, a_response, stage

from codex_proapi.gateway.exchange.answer.response_writer import ResponseWriter
from codex_proapi.gateway.exchange.dispatch_state import DispatchState
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.formats.codex.requests import UpstreamRequest

OF_ONE_EXCHANGE = (ResponseWriter, DispatchState, Exchange, UpstreamRequest)


@pytest.fixture
def uncollected() -> Any:
    """The garbage collector is off; it runs seldom in a gateway, too.

    What other tests have left behind is frozen: neither looked at again, nor found.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()


def left() -> list[str]:
    return sorted(
        {type(each).__name__ for each in gc.get_objects() if isinstance(each, OF_ONE_EXCHANGE)}
    )


@pytest.fixture
async def play(redis_url: str, uncollected: None) -> AsyncIterator[Stage]:
    async with stage(redis_url, "ada", "ben") as made:
        yield made


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/chat/completions", a_chat()), ("/v1/responses", a_response())],
)
async def test_after_an_answer(play: Stage, path: str, body: Any, stream: bool) -> None:
    answer = await play.client.post(path, json={**body, "stream": stream})

    assert answer.status_code == 200
    await play.records()
    await play.until(lambda: not left())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["json_403", "usage_limit_reached", "truncated", "bare_502"])
async def test_after_a_refusal_of_the_backend(play: Stage, fault: str, stream: bool) -> None:
    play.sim.script(fault, times=None)

    await play.chat(stream=stream)

    await play.records()
    await play.until(lambda: not left())


async def test_after_a_refusal_of_ours(play: Stage) -> None:
    assert (await play.chat(messages=[])).status_code == 400

    await play.records()
    await play.until(lambda: not left())


@pytest.mark.parametrize("fault", ["silent", "slow"])
@pytest.mark.parametrize("stream", [False, True])
async def test_after_a_client_that_left(play: Stage, fault: str, stream: bool) -> None:
    play.sim.script(fault, times=None)
    [replica] = play.replicas
    body = json.dumps(a_chat("count to 500", stream=stream)).encode()

    _, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await play.until(lambda: len(play.sim.turns))
    writer.transport.abort()

    await play.records()
    await play.until(lambda: not left())
