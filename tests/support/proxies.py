"""Real proxies on loopback: one that speaks `CONNECT`, one that speaks SOCKS5."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator

from support.carrying import Carrying

PAIR = ("ada", "p@ss:w/rd")
"""User and password of a proxy that asks for them."""
PAIR_IN_URL = "ada:p%40ss%3Aw%2Frd@"


class ProxyServer(Carrying):
    """A proxy; counts what it carries, and can be told to refuse or to break."""

    def __init__(self, *, scheme: str, asks: bool) -> None:
        super().__init__()
        self.scheme = scheme
        self.asks = asks
        """Whether it asks for a password."""
        self.targets: list[str] = []
        """`host:port` of every tunnel it opened."""
        self.refusal = 0
        """HTTP status, or SOCKS5 code, with which it refuses; 0 for not at all."""
        self.silent = False
        """Whether it accepts and says nothing."""
        self.piecewise = False
        """Whether it sends its answers byte by byte."""

    @property
    def url(self) -> str:
        """Its address, with the password if it asks for one."""
        return f"{self.scheme}://{PAIR_IN_URL if self.asks else ''}localhost:{self.port}"

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            agree = self._socks if self.scheme.startswith("socks") else self._connect
            target = await agree(reader, writer)
            if target is None:
                return
            await self._tunnel(target, reader, writer)

    async def _tunnel(
        self, target: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        up, down = await asyncio.open_connection(*target)
        self.targets.append(f"{target[0]}:{target[1]}")
        try:
            answer = b"\5\0\0\3\1x\0\0"
            if not self.scheme.startswith("socks"):
                answer = b"HTTP/1.1 200 Connection established\r\nproxy-agent: test\r\n\r\n"
            await self._say(writer, answer)
            await asyncio.gather(_pump(reader, down), _pump(up, writer))
        finally:
            down.transport.abort()

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        pieces = [bytes([byte]) for byte in answer] if self.piecewise else [answer]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if self.silent:
            await reader.read()
        method, authority, _ = head.split("\r\n", 1)[0].split(" ")
        expected = base64.b64encode(":".join(PAIR).encode()).decode()
        status = self.refusal or (405 if method != "CONNECT" else 0)
        if not status and self.asks and f"proxy-authorization: Basic {expected}\r\n" not in head:
            status = 407
        if status:
            said = f"HTTP/1.1 {status} No {expected}\r\ncontent-length: 2\r\n\r\nno"
            await self._say(writer, said.encode())
            writer.close()
            return None
        host, _, port = authority.rpartition(":")
        return host.strip("[]"), int(port)

    async def _socks(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str, int] | None:
        version, count = await reader.readexactly(2)
        if version != 5:
            await self._say(writer, bytes((5, 255)))
            return None
        offered = await reader.readexactly(count)
        if self.silent:
            await reader.read()
        method = 2 if self.asks else 0
        await self._say(writer, bytes((5, method if method in offered else 255)))
        if method not in offered:
            return None
        if self.asks:
            await reader.readexactly(1)
            pair = [(await reader.readexactly((await reader.readexactly(1))[0])) for _ in PAIR]
            right = [part.decode() for part in pair] == list(PAIR)
            await self._say(writer, bytes((1, 0 if right else 1)))
            if not right:
                return None
        _, _, _, kind = await reader.readexactly(4)
        size = {1: 4, 3: 0, 4: 16}[kind] or (await reader.readexactly(1))[0]
        host, port = await reader.readexactly(size), await reader.readexactly(2)
        if self.refusal:
            await self._say(writer, bytes((5, self.refusal, 0, 1, 0, 0, 0, 0, 0, 0)))
            return None
        name = host.decode() if kind == 3 else ".".join(str(part) for part in host)
        return name, int.from_bytes(port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def proxy_server(
    scheme: str = "http", *, asks: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ProxyServer]:
    """A proxy on a port of loopback; `tls` is the server's context of an `https` one."""
    proxy = ProxyServer(scheme=scheme, asks=asks)
    async with proxy.listening(tls):
        yield proxy
