"""The gateway as a process of its own: it starts from its environment and stops without breaking a stream."""

import asyncio
import signal
import sys
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from support.free_ports import free_port
from support.gateways import KEY, a_chat, events_of, stage, text_of
from support.pretended import pretended_time

from codex_proapi.commons.cluster.store_check import StoreCheck
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.runtime.cipher import Cipher


async def start(environ: Any) -> Any:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "codex_proapi.gateway"),
        env={"PATH": "/usr/bin:/bin", **pretended_time(), **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def until_ready(client: Any) -> None:
    for _ in range(1200):
        try:
            if (await client.get("/readyz")).status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise AssertionError("it did not become ready")


async def test_a_sigterm_says_no_at_readyz_and_lets_the_stream_finish(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("slow", pace=0.15, times=None)
        port = free_port()
        process = await start(
            {
                **play.sim.environ,
                "REDIS_URL": redis_url,
                "ENCRYPTION_KEYS": KEY,
                "API_KEY_POLICY": "open",
                "PORT": str(port),
                "DRAIN_SETTLE_SECONDS": "3",
                "NATIVE_CODE": "off",
            }
        )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            await until_ready(client)
            assert 'native="no"' in (await client.get("/metrics")).text
            async with client.stream(
                "POST", "/v1/chat/completions", json=a_chat("count to 20", stream=True)
            ) as answer:
                pieces = answer.aiter_bytes()
                body = await anext(pieces)
                process.send_signal(signal.SIGTERM)
                while (await client.get("/readyz")).status_code == 200:
                    await asyncio.sleep(0.01)
                body += b"".join([piece async for piece in pieces])

        out, _ = await process.communicate()
        assert process.returncode == 0
        assert text_of(events_of(body)).endswith("20")
        assert events_of(body)[-1] == "[DONE]"
        assert b'"event":"exchange.settled"' in out
        assert b'"why_not":"switched off"' in out
        [record] = await play.records()
        assert record.ending.value == "whole"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, [b"ENCRYPTION_KEYS"]),
        (
            {"ENCRYPTION_KEYS": "short", "ROUTING": "random", "DRAIN_FOREVER": "1"},
            [b"ENCRYPTION_KEYS", b"ROUTING", b"DRAIN_FOREVER"],
        ),
    ],
)
async def test_a_wrong_environment_stops_the_start_with_every_fault(
    environ: Any, words: Any
) -> None:
    process = await start(environ)

    _, told = await process.communicate()

    assert process.returncode == 2
    assert all(word in told for word in words)
    assert b"Traceback" not in told


async def refused_start(redis_url: str, service: str) -> str:
    """What a service says that does not start on this Redis."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"codex_proapi.{service}"),
        env={
            "PATH": "/usr/bin:/bin",
            **pretended_time(),
            "REDIS_URL": redis_url,
            "ENCRYPTION_KEYS": KEY,
            "PORT": str(free_port()),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert f"The {service} cannot start:" in told.decode()
    assert b"Traceback" not in told
    return told.decode()


@pytest.mark.parametrize("service", ["gateway", "console"])
async def test_a_process_too_old_for_what_is_stored_says_so_and_does_not_serve(
    redis_url: str, redis_client: Any, service: str
) -> None:
    await redis_client.hset(keyspace.schema(), mapping={"version": "9", "least": "7"})

    told = await refused_start(redis_url, service)

    assert "needs version 7 or newer: upgrade this process." in told
    assert await redis_client.keys("*") == [keyspace.schema()]


@pytest.mark.parametrize("service", ["gateway", "console"])
async def test_a_process_with_other_encryption_keys_says_so_and_does_not_serve(
    redis_url: str, redis_client: Any, service: str
) -> None:
    other = Cipher([Fernet.generate_key().decode()])
    await StoreCheck(redis_client, other).check()
    before = {name: await redis_client.dump(name) for name in await redis_client.keys("*")}

    told = await refused_start(redis_url, service)

    assert "ENCRYPTION_KEYS do not open what is stored in this Redis" in told
    after = {name: await redis_client.dump(name) for name in await redis_client.keys("*")}
    assert after == before


async def test_a_second_signal_ends_everything_at_once_and_asks_nobody_again(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("slow", pace=3.0, times=None)
        port = free_port()
        process = await start(
            {
                **play.sim.environ,
                "REDIS_URL": redis_url,
                "ENCRYPTION_KEYS": KEY,
                "API_KEY_POLICY": "open",
                "PORT": str(port),
                "DRAIN_SETTLE_SECONDS": "0",
            }
        )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            await until_ready(client)
            asked = [
                asyncio.ensure_future(
                    client.post("/v1/chat/completions", json=a_chat("count to 20", stream=stream))
                )
                for stream in (False, True, False, True)
            ]
            await play.until(lambda: len(play.sim.turns) == 4)
            process.send_signal(signal.SIGTERM)
            while True:
                try:
                    if (await client.get("/readyz")).status_code == 503:
                        break
                except httpx.TransportError:
                    break
            process.send_signal(signal.SIGTERM)
            out, told = await asyncio.wait_for(process.communicate(), 60)
            answers = await asyncio.gather(*asked, return_exceptions=True)

        assert process.returncode == 0
        assert len(play.sim.turns) == 4, "nobody was asked again"
        assert b"Traceback" not in told + out
        assert b"Internal Server Error" not in b"".join(
            answer.content for answer in answers if isinstance(answer, httpx.Response)
        )
        assert {record.code for record in await play.records(4)} == {"server_overloaded"}
