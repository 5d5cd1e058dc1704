"""Real receivers of alerts on loopback: one that takes webhooks, one that takes e-mail."""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio._backends._asyncio  # noqa: F401 - Python 3.11 fails to rewrite it deep in a stack
import msgspec


class _Connections:
    """The connections under way: a receiver ends after the last of them."""

    def __init__(self) -> None:
        self._serving: set[asyncio.Task[Any]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        """One connection: closed whatever happens."""
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
                yield
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            self._serving.discard(task)

    async def ended(self) -> None:
        """Wait for all of them."""
        while self._serving:
            await asyncio.wait(self._serving)


class WebhookReceiver(_Connections):
    """Takes POSTs and answers each with the next of its answers, 200 where none is left."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[bytes] = []
        self.url = ""

    @property
    def bodies(self) -> list[Any]:
        """The JSON of every request."""
        return [msgspec.json.decode(body) for _, _, body in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        async with self.serving(writer):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *rest = head.strip().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (each.partition(":") for each in rest)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append((line.split()[1], headers, body))
            writer.write(self.answers.pop(0) if self.answers else answer(200))
            await writer.drain()


def answer(status: int, body: bytes = b"{}", **headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextlib.asynccontextmanager
async def webhook_receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[WebhookReceiver]:
    """A receiver of webhooks."""
    made = WebhookReceiver()
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls) as server:
        made.port = server.sockets[0].getsockname()[1]
        made.url = f"{'https' if tls else 'http'}://127.0.0.1:{made.port}/hook"
        yield made
        await made.ended()


class MailReceiver(_Connections):
    """A small SMTP server: EHLO, STARTTLS, AUTH PLAIN, one message a connection."""

    def __init__(self, tls: ssl.SSLContext | None, *, refuses: Sequence[str] = ()) -> None:
        super().__init__()
        self.port = 0
        self.mails: list[str] = []
        self.logins: list[str] = []
        self.encrypted: list[bool] = []
        self._tls = tls
        self._refuses = refuses

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One dialogue."""
        encrypted = writer.get_extra_info("ssl_object") is not None
        async with self.serving(writer):
            writer.write(b"220 test ESMTP\r\n")
            while line := (await reader.readline()).decode().strip():
                verb = line.split()[0].upper()
                if verb in self._refuses:
                    writer.write(b"554 5.7.1 no\r\n")
                    continue
                if verb == "STARTTLS" and self._tls:
                    writer.write(b"220 go\r\n")
                    await writer.drain()
                    await writer.start_tls(self._tls)
                    encrypted = True
                    continue
                if verb == "DATA":
                    writer.write(b"354 go\r\n")
                    text = (await reader.readuntil(b"\r\n.\r\n")).decode()
                    self.mails.append(text.removesuffix("\r\n.\r\n"))
                    self.encrypted.append(encrypted)
                if verb == "AUTH":
                    self.logins.append(base64.b64decode(line.split()[2]).decode())
                writer.write(self._reply(verb, encrypted=encrypted))
                if verb == "QUIT":
                    break

    def _reply(self, verb: str, *, encrypted: bool) -> bytes:
        match verb:
            case "EHLO" if self._tls and not encrypted:
                return b"250-test\r\n250 STARTTLS\r\n"
            case "EHLO":
                return b"250-test\r\n250 AUTH PLAIN\r\n"
            case "AUTH":
                return b"235 ok\r\n"
            case "QUIT":
                return b"221 bye\r\n"
            case _:
                return b"250 ok\r\n"


@contextlib.asynccontextmanager
async def mail_receiver(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, refuses: Sequence[str] = ()
) -> AsyncIterator[MailReceiver]:
    """A receiver of e-mail."""
    made = MailReceiver(tls, refuses=refuses)
    async with await asyncio.start_server(
        made.serve, "127.0.0.1", 0, ssl=tls if implicit else None
    ) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made
        await made.ended()
