"""A reply that must be known is waited for by who has been cancelled, once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ResponseError

from codex_proapi.commons.redis.multiplexed import (
    KeptReply,
    MultiplexedConnection,
    connect_multiplexed,
)


@pytest.fixture
async def line(redis_url: str) -> AsyncIterator[MultiplexedConnection]:
    made = connect_multiplexed(redis_url, timeout=60.0)
    assert made is not None
    yield made
    await made.aclose()


async def started(line: MultiplexedConnection) -> "tuple[asyncio.Future[None], KeptReply]":
    """Somebody who waits for a reply that must be known."""
    waits: asyncio.Future[KeptReply] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        waits.set_result(reply := line.call_kept("INCR", "n"))
        await reply

    task = asyncio.ensure_future(wait())
    return task, await waits


async def test_who_waits_for_a_reply_that_must_be_known_is_cancelled_once_it_has_come(
    line: MultiplexedConnection,
) -> None:
    await line.call("PING")
    task, reply = await started(line)

    task.cancel()
    assert not reply.done()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert reply.came
    assert reply.result() == 1


async def test_a_second_cancellation_ends_the_wait_and_the_connection_goes_on(
    line: MultiplexedConnection,
) -> None:
    await line.call("PING")
    task, reply = await started(line)

    task.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert reply.cancelled()
    assert not reply.came
    assert await line.call("INCR", "n") == 2


@pytest.mark.parametrize("cancels", [0, 1, 2])
async def test_a_reply_is_kept_too_while_the_connection_is_being_made(
    line: MultiplexedConnection, cancels: int
) -> None:
    task, reply = await started(line)
    for _ in range(cancels):
        task.cancel()
    if cancels:
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await task

    assert reply.came == (cancels < 2)


async def test_an_error_in_place_of_a_kept_reply_is_raised(line: MultiplexedConnection) -> None:
    with pytest.raises(ResponseError):
        await line.call_kept("NO")
    with pytest.raises(ResponseError):
        await line.call_kept("NO")
