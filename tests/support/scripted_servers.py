"""A server that says, connection by connection, exactly what a test wants said, and reading to the end."""

import asyncio
from typing import Any


class Server:
    """A server that says, connection by connection, exactly what a test wants said."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.scripts: list[Any] = []
        self.connections: list[Any] = []
        self.gone = asyncio.Event()
        self.port = 0

    async def serve(self, reader: Any, writer: Any) -> None:
        number = len(self.connections)
        self.connections.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.requests.append((number, head, body))
                script = self.scripts.pop(0) if self.scripts else [WHOLE]
                for step in script:
                    if step == "close":
                        return
                    if step == "abort":
                        writer.transport.abort()
                        return
                    if step == "hang":
                        await reader.read()
                        return
                    writer.write(step)
                    await writer.drain()
                    await asyncio.sleep(0.005)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.gone.set()
            writer.close()


def chunked(*pieces: Any, end: Any = True) -> Any:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join([HEAD_CHUNKED, *chunks, b"0\r\n\r\n" if end else b""])


HEAD_CHUNKED = b"HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


async def read_all(answer: Any) -> Any:
    pieces: list[Any] = []
    while piece := await answer.read():
        pieces.append(piece)
    return b"".join(pieces)
