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
        self._carrying: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """The address of the way."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def carries(self) -> int:
        """How many connections it carries."""
        return len(self._carrying)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        carrying = asyncio.ensure_future(self._carry(reader, writer))
        self._carrying[carrying] = writer
        carrying.add_done_callback(self._end)

    async def close(self) -> None:
        """Cut what is still carried."""
        carrying = tuple(self._carrying)
        for each in carrying:
            each.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    def _end(self, carried: asyncio.Task[None]) -> None:
        self._carrying.pop(carried).transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            up, down = await asyncio.open_unix_connection(self._socket)
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
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await asyncio.sleep(0)  # a connection that was taken in this moment is carried by now
        await proxy.close()
        await asyncio.sleep(0)
