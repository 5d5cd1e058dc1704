"""Bodies as they arrive: behind an offered upgrade, in chunks, with more framing than content."""

import asyncio
import sys

import pytest
from support.listening import Scene, a_head, serving

OFFER = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
PATIENCE_SECONDS = 60.0
FLOOD = b"y" * 65536
MOST_PIECES = 2000
"""Pieces of a flood, 125 MiB; what is dropped is bounded, too."""


async def test_a_chunked_body_after_an_offered_upgrade_is_read() -> None:
    async with serving() as scene:
        whole = await scene.ask(
            OFFER + CHUNKED + b"5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\nand more"
        )
        reader, writer = await scene.connect()
        writer.write(OFFER + CHUNKED)
        for _ in range(3):
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(b"186a0\r\n" + b"x" * 100_000 + b"\r\n")
        writer.write(b"0\r\n\r\n")
        in_pieces = await reader.read()
        writer.close()

    assert whole.endswith(b"\r\n\r\n8")
    assert in_pieces.endswith(b"\r\n\r\n300000")


async def test_an_upgrade_offered_behind_that_body_is_dropped_like_everything_there() -> None:
    behind = OFFER + b"content-length: 1\r\n\r\nx"
    async with serving() as scene:
        answer = await scene.ask(OFFER + b"content-length: 5\r\n\r\nhello" + behind)

    assert answer.endswith(b"\r\n\r\n5")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_what_is_no_chunk_after_an_offered_upgrade_is_refused() -> None:
    async with serving() as scene:
        answer = await scene.ask(OFFER + CHUNKED + b"no chunk\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")


async def flood(scene: Scene, head: bytes) -> int:
    """Send a request whose framing does not end; gives the pieces sent until the server hung up."""
    _, writer = await scene.connect()
    writer.write(head)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for sent in range(MOST_PIECES):
            writer.write(FLOOD)
            try:
                await writer.drain()
            except ConnectionError:
                return sent
    writer.close()
    return MOST_PIECES


@pytest.mark.parametrize("path", [b"/", b"/early"])
@pytest.mark.parametrize("upgrade", [b"", b"connection: Upgrade\r\nupgrade: h2c\r\n"])
@pytest.mark.parametrize("framing", [b"1\r\n{\r\n0\r\nx: ", b"1\r\n{\r\n0\r\n", b"1;"])
async def test_chunks_with_endless_framing_are_cut_off(
    path: bytes, upgrade: bytes, framing: bytes
) -> None:
    head = b"POST " + path + b" HTTP/1.1\r\nhost: x\r\n" + upgrade + CHUNKED + framing
    async with serving() as scene:
        assert await flood(scene, head) < MOST_PIECES


async def test_trailers_of_some_headers_are_fine() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + CHUNKED
    async with serving() as scene:
        answer = await scene.ask(head + b"1\r\n{\r\n0\r\nx-checksum: 1\r\nx-more: 2\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a connection not read")
async def test_a_client_that_leaves_is_noticed_though_its_next_request_waits() -> None:
    async with serving() as scene:
        reader, writer = await scene.connect()
        writer.write(b"GET /gone HTTP/1.1\r\nhost: x\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        writer.write(a_head())
        while not scene.connections[0].pipeline:
            await asyncio.sleep(0.005)

        writer.transport.abort()

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not scene.app.gone.is_set():
                scene.sweep(1)
                await asyncio.sleep(0.005)
        assert scene.app.asked == ["/gone"]
