"""The routes that carry the load, through the server's own door and through ASGI: the same answers."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

from support.gateways import Stage, stage

from codex_proapi.commons.http.server import HttpServer, configure
from codex_proapi.gateway.server.http_limits import HTTP_LIMITS

HELLO = {"role": "user", "content": "count to 5"}
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "say hello"}]}
CHAT = {"model": "gpt-5.5", "messages": [HELLO]}
RESPONSES = {"model": "gpt-5.5", "input": [ITEM], "store": False}
ONES_OWN = re.compile(rb"[0-9a-f]{16,}|[0-9a-f-]{36}|\b1\d{9,12}\b|date: [^\r]*|[0-9.]+m?s\b")
"""Ids and times."""

REQUESTS = (
    ("/v1/chat/completions", {**CHAT, "stream": True}),
    ("/v1/chat/completions", CHAT),
    ("/v1/chat/completions", {**CHAT, "stream": True, "temperature": 0.5}),
    ("/v1/chat/completions", {"model": "gpt-5.5"}),
    ("/v1/chat/completions", {**CHAT, "model": "no such model"}),
    ("/chat/completions?x=y", {**CHAT, "stream": True}),
    ("/v1/responses", {**RESPONSES, "stream": True}),
    ("/v1/responses", RESPONSES),
    ("/v1/messages", {**CHAT, "max_tokens": 99, "stream": True}),
    ("/v1/messages", {**CHAT, "max_tokens": 99}),
    ("/v1/messages", {**CHAT, "max_tokens": "many"}),
    ("/v1/completions", {"model": "gpt-5.5", "prompt": "say hello", "stream": True}),
    ("/v1/messages/count_tokens", {**CHAT}),
)


@contextlib.asynccontextmanager
async def through_asgi(play: Stage) -> AsyncIterator[int]:
    """A second server before the same gateway, without the door of its own."""
    gateway, listener = play.replicas[0].gateway, socket.create_server(("127.0.0.1", 0))
    config = configure(
        gateway.asgi,
        host="127.0.0.1",
        port=0,
        drain_seconds=5,
        limits=HTTP_LIMITS,
        fault_body=gateway.fault_body,
    )
    server = HttpServer(config, gateway, settle_seconds=0, drain_seconds=5)
    serving = asyncio.ensure_future(server._serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = server.force_exit = True
    await serving


async def answered(port: int, path: str, fields: Any) -> tuple[list[bytes], bytes]:
    """Head and body of an answer, without what is each answer's own."""
    body = json.dumps(fields).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    whole = await reader.read()
    writer.close()
    head, _, rest = whole.partition(b"\r\n\r\n")
    if b"chunked" in head:
        rest = b"".join(unchunked(rest))
    return sorted(ONES_OWN.sub(b"?", head).split(b"\r\n")), ONES_OWN.sub(b"?", rest)


async def asked_on(
    connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], fields: Any, secret: str
) -> tuple[int, bytes]:
    """Status and body of an answer on a connection that goes on; each head but its length is the same."""
    reader, writer = connection
    body = json.dumps(fields).encode()
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {secret}\r\n"
        f"content-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head)
    assert found is not None, head
    return int(head.split(b" ")[1]), await reader.readexactly(int(found[1]))


def unchunked(rest: bytes) -> list[bytes]:
    pieces = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    assert pieces[-1] == b""
    return pieces


async def test_both_doors_give_the_same_answers(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, through_asgi(play) as port:
        for path, fields in REQUESTS:
            direct = await answered(play.replicas[0].port, path, fields)
            asgi = await answered(port, path, fields)

            assert direct == asgi, path
        direct_routes = [
            path for path, _ in REQUESTS if play.replicas[0].gateway.asgi._direct.get(path)
        ]
        assert len(direct_routes) == len(REQUESTS) - 2  # one has a query, one is no dialect's


async def test_a_head_that_repeats_is_authenticated_anew(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, through_asgi(play) as port:
        (first, secret), (_, other) = await play.make_key(), await play.make_key()
        doors = [
            await asyncio.open_connection("127.0.0.1", each)
            for each in (play.replicas[0].port, port)
        ]
        for at, sent in enumerate((secret, secret, secret, "wrong", secret, other, secret)):
            fields = {**CHAT, "user": "u" * at}
            direct, asgi = [await asked_on(door, fields, sent) for door in doors]
            assert direct[0] == asgi[0] == (401 if sent == "wrong" else 200)

        await play.keys.revoke(first.id)
        for sent, status in ((secret, 401), (other, 200), (secret, 401)):
            assert [(await asked_on(door, CHAT, sent))[0] for door in doors] == [status] * 2
        for _, writer in doors:
            writer.close()
