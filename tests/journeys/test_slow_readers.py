"""A client that does not read holds upstream back, and few bytes in the gateway."""

import asyncio
import json
import socket
from typing import Any

from support.gateways import a_chat, stage

from codex_proapi.commons.connections.dialer import RECEIVE_BYTES
from codex_proapi.commons.http.upgrade import WRITE_HIGH_WATER
from codex_proapi.gateway.upstream.http_response import HIGH_WATER

MOST_HELD = WRITE_HIGH_WATER + HIGH_WATER + 6 * RECEIVE_BYTES
"""What waits for the client, one read as it is translated, and what is read from upstream."""


async def test_a_client_that_stops_reading_holds_few_bytes(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        [replica] = play.replicas
        upstream = replica.gateway.upstream.client._all
        sock = socket.create_connection(("127.0.0.1", replica.port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader, writer = await asyncio.open_connection(sock=sock)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        body = json.dumps(a_chat("count to 60000", stream=True)).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)

        def held_back() -> bool:
            clients = [each for each in replica.connections if each.write_paused]
            return bool(clients) and any(each.paused for each in upstream)

        await play.until(held_back)
        assert held_by(replica, upstream) <= MOST_HELD
        for _ in range(200):  # nothing more comes while nobody reads
            await asyncio.sleep(0)
            assert held_by(replica, upstream) <= MOST_HELD

        writer.transport.abort()
        [record] = await play.records()
        assert record.ending.value == "abandoned"
        del reader


def held_by(replica: Any, upstream: Any) -> int:
    """Bytes that wait in the process for the one client."""
    unread = sum(each._answer.size for each in upstream if each._answer is not None)
    written = sum(each.transport.get_write_buffer_size() for each in replica.connections)
    return int(unread + written)


async def test_a_client_that_reads_again_gets_everything(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        [replica] = play.replicas
        async with play.client.stream(
            "POST", "/v1/chat/completions", json=a_chat("count to 40000", stream=True)
        ) as answer:
            pieces = answer.aiter_bytes()
            body = await anext(pieces)
            await play.until(lambda: any(each.write_paused for each in replica.connections))
            body += b"".join([piece async for piece in pieces])

        assert body.endswith(b"data: [DONE]\n\n")
        assert b" 40000" in body
