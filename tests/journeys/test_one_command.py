"""One command on a bare machine: start, answer a client, stop without a trace.

These are real processes, started as a person starts them.
"""

import asyncio
import json
import pathlib
import signal
from typing import Any

import openai
import pytest
from support.proxies import PAIR_IN_URL, proxy_server
from support.standalone_process import COMMAND, ROOT, command, started

from codex_proapi.simulator import Simulator


async def chat(address: str, prompt: str, **changes: Any) -> str:
    """Ask as an OpenAI client does, streaming."""
    async with openai.AsyncOpenAI(base_url=address, api_key="any") as client:
        stream = await client.chat.completions.create(
            model="gpt-5",
            stream=True,
            messages=[{"role": "user", "content": prompt}],
            **changes,
        )
        return "".join(
            [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        )


async def until_refused(address: str) -> None:
    """Ask until a key is asked for; other processes learn of a key within a moment."""
    async with asyncio.timeout(60):
        while True:
            await chat(address, "say two")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_answers_and_stops_cleanly(how: signal.Signals) -> None:
    async with started(*COMMAND, "demo", "--port", "0", environ={}) as running:
        assert await chat(f"{running.address}/v1", "say hello") == "hello"
        assert await chat(running.address, "say hello") == "hello"
        children = running.children()
        assert children

        assert await running.stop(how) == 0
        assert not [child for child in children if child.is_running()]
    assert "Accounts               3" in running.told
    assert "stopping" in running.told


@pytest.mark.parametrize("command", ["serve", "demo"])
async def test_a_start_that_is_ended_leaves_no_store_behind(
    command: str, tmp_path: pathlib.Path
) -> None:
    environ = {"DATA_DIR": str(tmp_path), "PORT": "0", "TMPDIR": str(tmp_path)}
    async with started(*COMMAND, command, environ=environ) as running:
        async with asyncio.timeout(60):
            while not (stores := [c for c in running.children() if "server" in c.name()]):
                await asyncio.sleep(0.01)
        running.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            await running.process.wait()

        assert not any(store.is_running() for store in stores)


async def test_an_imported_account_serves_and_is_there_after_a_restart(
    tmp_path: pathlib.Path,
) -> None:
    async with Simulator() as sim:
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        async with started(*COMMAND, environ=environ) as running:
            told = await command("accounts", "import", "-", environ=environ, provided=content)
            assert told.startswith("added ada@example.com (plus)")
            assert await chat(running.address, "say one") == "one"
            assert await running.stop(signal.SIGTERM) == 0
        async with started(*COMMAND, "serve", environ=environ) as running:
            assert await chat(running.address, "say two") == "two"
            assert await running.stop(signal.SIGINT) == 0

    assert [arrival.account for arrival in sim.turns] == ["ada", "ada"]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert json.loads(content)["tokens"]["refresh_token"].encode() not in written


async def test_all_that_goes_upstream_goes_through_the_proxy(tmp_path: pathlib.Path) -> None:
    async with Simulator() as sim, proxy_server("socks5", asks=True) as proxy:
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        environ["UPSTREAM_PROXY"] = proxy.url
        content = json.dumps(sim.auth_json("ada")).encode()
        await command("accounts", "import", "-", environ=environ, provided=content)
        async with started(*COMMAND, environ=environ) as running:
            assert await chat(running.address, "say one") == "one"
            assert await running.stop(signal.SIGTERM) == 0

    assert set(proxy.targets) == {f"127.0.0.1:{sim.port}"}
    assert f"the proxy socks5://localhost:{proxy.port} leads upstream" in running.told
    assert PAIR_IN_URL not in running.told


async def test_the_first_key_ends_the_open_policy(tmp_path: pathlib.Path) -> None:
    async with Simulator() as sim:
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        await command("accounts", "import", "-", environ=environ, provided=content)
        async with started(*COMMAND, environ=environ) as running:
            assert await chat(running.address, "say one") == "one"
            key = (await command("keys", "create", "laptop", environ=environ)).strip()

            with pytest.raises(openai.AuthenticationError):
                await until_refused(running.address)

            async with openai.AsyncOpenAI(base_url=running.address, api_key=key) as client:
                answer = await client.responses.create(model="gpt-5.5", input="say three")
            assert answer.output_text == "three"
            assert await running.stop(signal.SIGTERM) == 0


async def test_a_running_answer_finishes_before_the_stop(tmp_path: pathlib.Path) -> None:
    async with Simulator() as sim:
        sim.world.pace = 0.05
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        await command("accounts", "import", "-", environ=environ, provided=content)
        async with started(*COMMAND, environ=environ) as running, asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(chat(running.address, "count to 20"))
            while not sim.turns:
                await asyncio.sleep(0.01)
            stopped = tasks.create_task(running.stop(signal.SIGINT))

    assert answer.result().endswith("19 20")
    assert stopped.result() == 0


@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="make has set nothing up here")
@pytest.mark.parametrize("target", ["up", "demo"])
async def test_make_starts_it(target: str, tmp_path: pathlib.Path) -> None:
    # What is set up already stays as it is: a test installs nothing.
    make = ("make", "--no-print-directory", "-o", ".venv/.standalone", target)
    async with started(*make, environ={"DATA_DIR": str(tmp_path), "PORT": "0"}) as running:
        if target == "demo":
            assert await chat(running.address, "say hello") == "hello"
        children = running.children()

        await running.stop(signal.SIGINT)
        assert not [child for child in children if child.is_running()]
    assert "stopping" in running.told


async def test_a_killed_store_comes_back_with_what_it_held(tmp_path: pathlib.Path) -> None:
    async with Simulator() as sim:
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        await command("accounts", "import", "-", environ=environ, provided=content)
        async with started(*COMMAND, environ=environ) as running:
            [store] = [child for child in running.children() if "valkey" in child.name()]
            store.kill()
            await running.until_ready()

            assert await chat(running.address, "say back") == "back"
            assert await running.stop(signal.SIGTERM) == 0
