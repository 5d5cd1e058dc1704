"""The one way to the backend: a request goes out, an `Opening` or a `Refusal` comes back.

An opening has reached the commit point. What a refusal allows, and who is asked next, is decided
in `judgement` and `relay.dispatch`. aiohttp stays behind this module, so that a faster client can
take its place without a change elsewhere.
"""

import asyncio
import io
from collections.abc import Mapping
from typing import Final

import aiohttp
import msgspec

from gateway.dialects.codex_errors import Refusal, decode_refusal
from gateway.errors import Malformed, Truncated, UpstreamFault
from gateway.translation.hold_back import Failed, HoldBack, Spoken, Waiting

CONNECT_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 300.0
"""How long upstream may be silent; the CLI itself waits so long between two events."""
KEEP_ALIVE_SECONDS: Final = 60.0
"""How long an idle connection is kept for the next request."""
REFUSAL_BYTES: Final = 256 * 1024
"""How much of a refusal's body is read."""
LARGE_BODY: Final = 512 * 1024
"""Size from which a body is written in pieces, so that other streams do not wait for it."""
LINGER_BEATS: Final = 3
"""Beats a finished stream may take to close by itself, so that its connection can be used again."""

UNREACHABLE: Final = "upstream_unreachable"
CONNECTION_LOST: Final = "upstream_connection_lost"
TIMED_OUT: Final = "upstream_timeout"


class Prepared(msgspec.Struct, frozen=True):
    """A request as it goes out."""

    headers: Mapping[str, str]
    body: bytes


class Opening:
    """An upstream stream that has reached the commit point. Whoever has it closes it."""

    __slots__ = ("_linger", "_response", "headers", "held")

    def __init__(self, response: aiohttp.ClientResponse, held: bytes, linger: "Lingering") -> None:
        self._response = response
        self._linger = linger
        self.held = held
        """The bytes up to the commit point."""
        self.headers: Mapping[str, str] = response.headers
        """Upstream's answer headers, by name in any case."""

    def __repr__(self) -> str:
        return f"<Opening with {len(self.held)} bytes held>"

    async def read(self) -> bytes:
        """What has come since, as one piece; b"" at the end. Raises Truncated when it breaks."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise Truncated("The backend broke off in the middle of its answer.") from error

    def close(self) -> None:
        """Give the connection back if the stream has ended, else cut it; any number of times."""
        self._response.close()

    def release(self) -> None:
        """The answer is whole: let the stream close by itself, for a moment."""
        if not self._response.closed:
            self._linger.add(self._response)


class Lingering:
    """Finished streams whose end has not come yet; a member of the pulse."""

    def __init__(self) -> None:
        self._beats: dict[aiohttp.ClientResponse, int] = {}

    def __repr__(self) -> str:
        return f"<Lingering {len(self._beats)} streams>"

    def add(self, response: aiohttp.ClientResponse) -> None:
        """Wait for the end of one stream without reading it."""
        self._beats[response] = 0

    def beat(self) -> None:
        """Forget those that have closed, cut those that have not in time."""
        for response, beats in list(self._beats.items()):
            if response.closed or beats >= LINGER_BEATS:
                response.close()
                del self._beats[response]
            else:
                self._beats[response] = beats + 1

    def close(self) -> None:
        """Cut all of them."""
        for response in self._beats:
            response.close()
        self._beats.clear()


class Upstream:
    """The backend's Responses endpoint."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, silence: float = SILENCE_SECONDS
    ) -> None:
        self._session = session
        self._url = url
        self._silence = silence
        self.lingering = Lingering()

    def __repr__(self) -> str:
        return f"<Upstream {self._url}>"

    async def open(self, prepared: Prepared) -> Opening | Refusal:
        """Ask once. Transport faults come back as refusals of status 0."""
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout(self._silence) as patience:
                response = await self._post(prepared)
                if response.status != 200:  # noqa: PLR2004 - HTTP's own number
                    return await _refusal_of(response)
                opened = await self._until_it_speaks(response, patience)
        except (TimeoutError, aiohttp.ClientError, UpstreamFault, OSError) as error:
            if response is not None:
                response.close()
            return refusal_of_fault(error)
        except asyncio.CancelledError:
            if response is not None:
                response.close()
            raise
        if isinstance(opened, Refusal):
            response.close()
            return opened
        return Opening(response, opened, self.lingering)

    async def _post(self, prepared: Prepared) -> aiohttp.ClientResponse:
        body = prepared.body
        return await self._session.post(
            self._url,
            data=body if len(body) < LARGE_BODY else io.BytesIO(body),
            headers=prepared.headers,
            allow_redirects=False,
        )

    async def _until_it_speaks(
        self, response: aiohttp.ClientResponse, patience: asyncio.Timeout
    ) -> bytes | Refusal:
        """The bytes up to the commit point, or the refusal that came instead of a word."""
        loop = asyncio.get_running_loop()
        hold_back = HoldBack()
        while data := await response.content.readany():
            match hold_back.feed(data):
                case Spoken(held=held):
                    return held
                case Failed(refusal=refusal):
                    return refusal
                case Waiting():
                    patience.reschedule(loop.time() + self._silence)
        return _fault("The backend closed its stream before it said a word.", Truncated.code)


def session_for(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """A client session as the backend wants to be spoken to: no cookies, redirects or extras."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
        trust_env=False,
        skip_auto_headers=("Accept-Encoding", "User-Agent"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
    )


def connector() -> aiohttp.TCPConnector:
    """Connections without a limit of their own: the gateway bounds its exchanges."""
    return aiohttp.TCPConnector(
        limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=300, happy_eyeballs_delay=0.25
    )


async def _refusal_of(response: aiohttp.ClientResponse) -> Refusal:
    """Read a refusal's body, not more than it deserves; the connection may then be used again."""
    body = bytearray()
    while piece := await response.content.readany():
        body += piece
        if len(body) > REFUSAL_BYTES:
            break
    if not response.content.at_eof():
        response.close()
    return decode_refusal(response.status, response.headers, bytes(body))


def refusal_of_fault(error: Exception) -> Refusal:
    """A fault of the transport, or of the protocol, as a refusal of status 0."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return _fault("The backend cannot be reached.", UNREACHABLE)
        case TimeoutError():
            return _fault("The backend did not answer in time.", TIMED_OUT)
        case Malformed():
            return _fault(error.message, Malformed.code)
        case _:
            return _fault("The connection to the backend was lost.", CONNECTION_LOST)


def _fault(message: str, code: str | None) -> Refusal:
    return Refusal(status=0, code=code or "", message=message)
