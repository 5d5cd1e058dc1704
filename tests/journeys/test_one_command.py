"""One command on a bare machine: start, answer a client, stop without a trace.

These are real processes, started as a person starts them.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import psutil
import pytest

from standalone.simulator import Simulator

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "standalone")


class Running:
    """A start in a process of its own, and what it told."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told = ""
        self.address = ""

    async def until_up(self) -> None:
        """Read until the welcome has named the address and is over."""
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while "Ctrl-C stops." not in self.told:
                line = (await self.process.stderr.readline()).decode()
                assert line, self.told
                self.told += line
                if "runs on http://" in line:
                    self.address = line.split("runs on ")[1].split()[0]
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.address}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    def children(self) -> list[psutil.Process]:
        """Everything it has started: the store's server among it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    async def stop(self, how: signal.Signals) -> int:
        """Signal it as a terminal does, the whole group; give its exit code."""
        os.killpg(self.process.pid, how)
        async with asyncio.timeout(30):
            _, rest = await self.process.communicate()
        self.told += rest.decode()
        return self.process.returncode or 0


@contextlib.asynccontextmanager
async def started(*command: str, environ: dict[str, str]) -> AsyncIterator[Running]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**kept, **environ},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    running = Running(process)
    try:
        await running.until_up()
        yield running
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()


async def command(*arguments: str, environ: dict[str, str], given: bytes = b"") -> str:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(given)
    assert process.returncode == 0
    return out.decode()


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


async def test_an_imported_account_serves_and_is_there_after_a_restart(
    tmp_path: pathlib.Path,
) -> None:
    async with Simulator() as sim:
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        async with started(*COMMAND, environ=environ) as running:
            told = await command("accounts", "import", "-", environ=environ, given=content)
            assert told.startswith("added ada@example.com (plus)")
            assert await chat(running.address, "say one") == "one"
            assert await running.stop(signal.SIGTERM) == 0
        async with started(*COMMAND, "serve", environ=environ) as running:
            assert await chat(running.address, "say two") == "two"
            assert await running.stop(signal.SIGINT) == 0

    assert [arrival.account for arrival in sim.turns] == ["ada", "ada"]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert json.loads(content)["tokens"]["refresh_token"].encode() not in written


async def test_the_first_key_ends_the_open_policy(tmp_path: pathlib.Path) -> None:
    async with Simulator() as sim:
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        await command("accounts", "import", "-", environ=environ, given=content)
        async with started(*COMMAND, environ=environ) as running:
            assert await chat(running.address, "say one") == "one"
            key = (await command("keys", "create", "laptop", environ=environ)).strip()

            with pytest.raises(openai.AuthenticationError):
                async with asyncio.timeout(20):
                    while True:
                        await chat(running.address, "say two")

            async with openai.AsyncOpenAI(base_url=running.address, api_key=key) as client:
                answer = await client.responses.create(model="gpt-5.5", input="say three")
            assert answer.output_text == "three"
            assert await running.stop(signal.SIGTERM) == 0


async def test_a_running_answer_finishes_before_the_stop(tmp_path: pathlib.Path) -> None:
    async with Simulator() as sim:
        sim.world.pace = 0.05
        environ = {"DATA_DIR": str(tmp_path), "PORT": "0", **sim.environ}
        content = json.dumps(sim.auth_json("ada")).encode()
        await command("accounts", "import", "-", environ=environ, given=content)
        async with started(*COMMAND, environ=environ) as running:
            async with asyncio.TaskGroup() as tasks:
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
