"""A server that has as many connections as it may have."""

import asyncio
from typing import Any

import msgspec
from support.listening import a_head, serving

from codex_proapi.gateway.server.http_limits import HTTP_LIMITS

FEW = msgspec.structs.replace(HTTP_LIMITS, connections=4)
SLOW = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"


async def connected(scene: Any, said: bytes = b"") -> Any:
    """A connection that has said this; only once the server has it."""
    before = set(scene.connections)
    reader, writer = await scene.connect()
    while not set(scene.connections) - before:
        await asyncio.sleep(0.005)
    writer.write(said)
    return reader, writer


async def test_the_connection_that_waits_longest_makes_room() -> None:
    async with serving(limits=FEW) as scene:
        old = await connected(scene, b"GET / HTTP/1.1\r\nhalf: a head")
        scene.sweep(5)
        idle = [await connected(scene) for _ in range(3)]

        _, newest = await connected(scene)

        assert await old[0].read() == b""
        newest.write(a_head("connection: close"))
        assert len(scene.connections) == 4
        assert scene.app.asked == []
        for _, writer in [old, *idle]:
            writer.close()
        newest.close()


async def test_a_request_under_way_is_never_closed_for_another_one() -> None:
    async with serving(limits=FEW) as scene:
        busy = [await connected(scene, SLOW) for _ in range(4)]
        while len(scene.app.asked) < 4:
            await asyncio.sleep(0.005)

        refused = await scene.connect()

        answer = await refused[0].read()
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable")
        assert b'"server_overloaded"' in answer
        scene.app.go_on.set()
        for reader, writer in busy:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()
        refused[1].close()


async def test_connections_beyond_the_bound_are_served_while_others_only_hold_theirs() -> None:
    async with serving(limits=FEW) as scene:
        held = [await scene.connect() for _ in range(40)]

        for _ in range(3):
            assert (await scene.ask(a_head("connection: close"))).startswith(b"HTTP/1.1 200")

        assert len(scene.connections) <= 4
        for _, writer in held:
            writer.close()
