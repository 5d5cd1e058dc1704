"""Fixtures of the connection pool: a scripted server and a client of it."""

import asyncio
import contextlib
from typing import Any

import pytest
from support.scripted_servers import Server

from codex_proapi.gateway.upstream.connection_pool import (
    HttpClient,
)


@pytest.fixture
async def server() -> Any:
    made = Server()
    listener = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listener.sockets[0].getsockname()[1]
    yield made
    listener.close()
    for writer in made.connections:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def client(server: Any) -> Any:
    made = HttpClient(f"http://127.0.0.1:{server.port}/codex/responses?a=b")
    yield made
    made.close()
    await asyncio.sleep(0)
