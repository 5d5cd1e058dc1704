"""A way to Redis that can be slow, or break in the middle of a reply."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class RedisProxy:
    """What lies between a gateway and its Redis."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self.delay = 0.0
        """Seconds each reply takes longer."""
        self.breaks = False
        """Whether a connection is reset after the first byte of its next reply."""
        self.port = 0
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address of the way."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def carries(self) -> int:
        """How many connections it carries."""
        return len(self._carrying)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        carrying = asyncio.current_task()
        assert carrying is not None
        self._carrying.add(carrying)
        up, down = await asyncio.open_unix_connection(self._socket)
        try:
            with contextlib.suppress(OSError):
                await asyncio.gather(self._ask(reader, down), self._answer(up, writer))
        finally:
            for end in (down, writer):
                end.transport.abort()
            self._carrying.discard(carrying)

    async def close(self) -> None:
        """Cut what is still carried."""
        carrying = set(self._carrying)
        for each in carrying:
            each.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

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
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
