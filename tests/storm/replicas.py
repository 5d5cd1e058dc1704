"""Gateway processes that are killed without a word and started again on the same port."""

import asyncio
import pathlib
import signal
import sys
from collections.abc import Mapping
from typing import Self

import aiohttp
from support.free_ports import free_port
from support.pretended import pretended_time


class Fleet:
    """So many gateway processes on ports of loopback; what each writes goes to a file of its own."""

    def __init__(self, size: int, *, environ: Mapping[str, str], folder: pathlib.Path) -> None:
        self._environ = dict(environ)
        self._folder = folder
        self.ports = [free_port() for _ in range(size)]
        self._started = 0
        self._processes: list[asyncio.subprocess.Process | None] = [None] * size

    async def __aenter__(self) -> Self:
        try:
            for place in range(len(self.ports)):
                await self.start(place)
            await asyncio.gather(*(self.ready(place) for place in range(len(self.ports))))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        running = [process for process in self._processes if process is not None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(process.wait() for process in running))

    async def start(self, place: int) -> None:
        """Start one; it is not ready yet."""
        self._started += 1
        with (self._folder / f"gateway-{place}-{self._started}.log").open("wb") as log:
            self._processes[place] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "codex_proapi.gateway"),
                env={
                    "PATH": "/usr/bin:/bin",
                    **pretended_time(),
                    **self._environ,
                    "PORT": str(self.ports[place]),
                },
                stdout=log,
                stderr=log,
            )

    async def kill(self, place: int) -> None:
        """End one as a machine that fails ends it: SIGKILL, no drain, nothing written."""
        process, self._processes[place] = self._processes[place], None
        if process is not None:
            process.kill()
            await process.wait()

    async def ready(self, place: int, *, seconds: float = 120) -> None:
        """Wait until one is ready to serve."""
        url = f"http://127.0.0.1:{self.ports[place]}/readyz"
        async with asyncio.timeout(seconds), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
