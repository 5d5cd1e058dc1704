"""A way to Redis that can be slow, or break in the middle of a reply."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from support.carrying import Carrying


class RedisProxy(Carrying):
    """What lies between a gateway and its Redis."""

    def __init__(self, socket: str) -> None:
        super().__init__()
        self.socket = socket
        """The socket of Redis; another path, and nobody gets through."""
        self.delay = 0.0
        """Seconds each reply takes longer."""
        self.breaks = False
        """Whether a connection is reset after the first byte of its next reply."""

    @property
    def url(self) -> str:
        """The address of the way."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            up, down = await asyncio.open_unix_connection(self.socket)
            try:
                await asyncio.gather(self._ask(reader, down), self._answer(up, writer))
            finally:
                down.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, down: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            down.write(data)
        down.close()

    async def _answer(self, up: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await up.read(65_536):
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.breaks:
                writer.write(data[:1])
                await writer.drain()
                writer.transport.abort()
                return
            writer.write(data)
        writer.close()


@contextlib.asynccontextmanager
async def redis_proxy(socket: str) -> AsyncIterator[RedisProxy]:
    """A proxy on a port of loopback."""
    proxy = RedisProxy(socket)
    async with proxy.listening():
        yield proxy
