"""Connections that a server of the tests carries: known while they last, and none left behind."""

import asyncio
import contextlib
from abc import abstractmethod
from collections.abc import AsyncIterator
from ssl import SSLContext


class Carrying:
    """A server on loopback whose connections can be counted and cut."""

    def __init__(self) -> None:
        self.port = 0
        self._carrying: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def carries(self) -> int:
        """How many connections it carries."""
        return len(self._carrying)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until either side ends it."""
        carrying = asyncio.ensure_future(self._carry(reader, writer))
        self._carrying[carrying] = writer
        carrying.add_done_callback(self._end)

    async def cut(self) -> None:
        """Break everything it carries."""
        carrying = tuple(self._carrying)
        for each in carrying:
            each.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)
        await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def listening(self, tls: SSLContext | None = None) -> AsyncIterator[None]:
        """Listen on a free port; at the end everything is cut."""
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            await asyncio.sleep(0)  # a connection that was taken in this moment is carried by now
            await self.cut()

    @abstractmethod
    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection; its writer is aborted afterwards."""

    def _end(self, carried: asyncio.Task[None]) -> None:
        self._carrying.pop(carried).transport.abort()
