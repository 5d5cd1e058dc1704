"""Nobody reads what a process writes: no stream stops, no settlement and no slot is lost."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from support.free_ports import free_port
from support.gateways import KEY, a_chat, events_of, stage, text_of
from support.pretended import pretended_time

GATEWAY = ("-m", "codex_proapi.gateway")
CONSOLE = ("-m", "codex_proapi.console")
BOTH = ("-m", "codex_proapi.local", "serve")


def full_pipe() -> tuple[int, int]:
    """A pipe that takes nothing more."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, b"\n" * 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, b"\n")
    os.set_blocking(write_end, True)
    return read_end, write_end


@contextlib.asynccontextmanager
async def unread(*command: str, environ: Any) -> AsyncIterator[Any]:
    """A process whose stdout and stderr are one full pipe; gives it, a client, the reading end."""
    port = free_port()
    read_end, write_end = full_pipe()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        env={"PATH": "/usr/bin:/bin", **pretended_time(), **environ, "PORT": str(port)},
        stdout=write_end,
        stderr=write_end,
    )
    os.close(write_end)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            await until_ready(client)
            yield process, client, read_end
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        with contextlib.suppress(OSError):
            os.close(read_end)


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


async def ends(process: Any) -> int:
    """Its exit code after a SIGTERM."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        return int(await process.wait())


@pytest.mark.parametrize("command", [GATEWAY, BOTH])
async def test_a_log_nobody_reads_stops_no_stream_and_loses_no_settlement(
    redis_url: str, command: Any
) -> None:
    async with stage(redis_url, "ada") as play:
        environ = {
            **play.sim.environ,
            "REDIS_URL": redis_url,
            "ENCRYPTION_KEYS": KEY,
            "API_KEY_POLICY": "open",
            "ACCOUNT_STREAMS": "1",
        }
        async with unread(*command, environ=environ) as (process, client, read_end):
            for number in range(40):
                body = a_chat(f"say {number}", stream=True)
                answer = await client.post("/v1/chat/completions", json=body)
                assert text_of(events_of(answer.content)) == str(number)
            os.close(read_end)  # and now its reader is gone for good: every write fails
            for number in range(3):
                body = a_chat(f"say {number}", stream=True)
                answer = await client.post("/v1/chat/completions", json=body)
                assert text_of(events_of(answer.content)) == str(number)
            assert (await client.get("/health")).status_code == 200
            assert await ends(process) == 0

        records = await play.records(43)
        assert {record.ending.value for record in records} == {"whole"}


async def test_a_log_that_is_read_again_goes_on(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        environ = {
            **play.sim.environ,
            "REDIS_URL": redis_url,
            "ENCRYPTION_KEYS": KEY,
            "API_KEY_POLICY": "open",
        }
        async with unread(*GATEWAY, environ=environ) as (process, client, read_end):
            for _ in range(3):
                await client.post("/v1/chat/completions", json=a_chat())
            written = asyncio.ensure_future(asyncio.to_thread(read_all, read_end))
            assert await ends(process) == 0

            assert (await written).count(b'"event":"exchange.settled"') == 3


async def test_the_console_serves_and_stops_though_nobody_reads_its_log(redis_url: str) -> None:
    environ = {"REDIS_URL": redis_url, "ENCRYPTION_KEYS": KEY, "LOG_LEVEL": "debug"}
    async with unread(*CONSOLE, environ=environ) as (process, client, _):
        for _ in range(40):
            # Each refused head is a line of the log.
            async with contextlib.AsyncExitStack() as stack:
                headers = {"x-large": "x" * 40_000}
                stack.enter_context(contextlib.suppress(httpx.TransportError))
                assert (await client.get("/", headers=headers)).status_code == 431
        assert (await client.get("/health")).status_code == 200
        assert await ends(process) == 0


def read_all(read_end: int) -> bytes:
    found = b""
    while piece := os.read(read_end, 65536):
        found += piece
    return found
