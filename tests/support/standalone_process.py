"""The one-command start as a process of its own, as a person starts it."""

import asyncio
import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import AsyncIterator

import httpx
import psutil
from support.pretended import pretended_time

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "codex_proapi.local")


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
        await self.until_ready()

    async def until_ready(self) -> None:
        """Wait for `/readyz`."""
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http, asyncio.timeout(60):
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
        async with asyncio.timeout(60):
            _, rest = await self.process.communicate()
        self.told += rest.decode()
        return self.process.returncode or 0


@contextlib.asynccontextmanager
async def started(*command: str, environ: dict[str, str]) -> AsyncIterator[Running]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**kept, **pretended_time(), **environ},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    running = Running(process)
    try:
        await running.until_up()
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.returncode is None:
            await process.communicate()


async def command(*arguments: str, environ: dict[str, str], provided: bytes = b"") -> str:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env={"PATH": os.environ["PATH"], **pretended_time(), **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(provided)
    assert process.returncode == 0
    return out.decode()
