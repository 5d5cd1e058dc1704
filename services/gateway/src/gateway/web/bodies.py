"""A request's body: read within its deadlines and limits, and unpacked.

What the bytes mean is `translation.requests`' business.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping

import zstandard

from gateway.errors import BadRequest, BodyTooSlow, TooLarge
from gateway.web.asgi import Receive

BODY_BYTES = 64 * 1024 * 1024
"""The largest body, as sent and unpacked; images travel in base64."""
STALL_SECONDS = 60.0
"""How long a body may bring nothing."""
BODY_SECONDS = 600.0
"""How long a body may take in all, so that a drip of bytes ends too."""
UNPACK_AT_ONCE = 1024 * 1024
"""Packed size from which a thread unpacks, so that other streams do not wait for it."""
PIECE = 1024 * 1024
"""How much is unpacked at a time: the limit is seen long before a bomb fills the memory."""


class ClientGone(Exception):
    """The client hung up before its request was complete; nobody is left to answer."""


async def read_body(
    receive: Receive,
    headers: Mapping[bytes, bytes],
    *,
    limit: int = BODY_BYTES,
    stall: float = STALL_SECONDS,
) -> bytes:
    """The whole body, unpacked. Raises ClientFault, or ClientGone when the client hung up."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = await _receive_all(receive, limit=limit, stall=stall)
    packing = headers.get(b"content-encoding")
    if packing is None:
        return body
    return await _unpack(body, packing.decode("latin-1").strip().lower(), limit)


async def _receive_all(receive: Receive, *, limit: int, stall: float) -> bytes:
    loop = asyncio.get_running_loop()
    end = loop.time() + BODY_SECONDS
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(stall) as patience:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGone
                piece = message.get("body", b"")
                more = message.get("more_body", False)
                if not more and not pieces:
                    return _within(piece, limit)
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if not more:
                    return b"".join(pieces)
                patience.reschedule(min(loop.time() + stall, end))
    except TimeoutError:
        raise BodyTooSlow("The request body did not arrive in time.") from None


async def _unpack(body: bytes, packing: str, limit: int) -> bytes:
    unpack = UNPACKERS.get(packing)
    if unpack is None:
        known = ", ".join(sorted(UNPACKERS))
        raise BadRequest(
            f"content-encoding must be one of {known}.", code="unsupported_content_encoding"
        )
    try:
        if len(body) < UNPACK_AT_ONCE:
            return unpack(body, limit)
        return await asyncio.to_thread(unpack, body, limit)
    except (zlib.error, zstandard.ZstdError):
        raise BadRequest(
            f"The body is not {packing}, as its content-encoding says.", code="invalid_body"
        ) from None


def _gunzip(body: bytes, limit: int) -> bytes:
    return _inflate(body, limit, 31)


def _inflate_either(body: bytes, limit: int) -> bytes:
    """`deflate` means the zlib format; some clients send it without the zlib header."""
    try:
        return _inflate(body, limit, 15)
    except zlib.error:
        return _inflate(body, limit, -15)


def _inflate(body: bytes, limit: int, window: int) -> bytes:
    machine = zlib.decompressobj(window)
    pieces: list[bytes] = []
    size = 0
    rest = body
    while rest and not machine.eof:
        piece = machine.decompress(rest, PIECE)
        rest = machine.unconsumed_tail
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
    pieces.append(machine.flush())
    if not machine.eof:
        raise zlib.error("incomplete")
    return _within(b"".join(pieces), limit)


def _unpack_zstd(body: bytes, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
        while piece := reader.read(PIECE):
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            pieces.append(piece)
    return b"".join(pieces)


def _as_it_is(body: bytes, limit: int) -> bytes:
    return _within(body, limit)


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise _too_large(limit)
    return body


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit // (1024 * 1024)} MiB.")


UNPACKERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_either,
    "zstd": _unpack_zstd,
    "identity": _as_it_is,
    "": _as_it_is,
}
"""Ways a body may be packed. A list of several is refused: no client was seen to send one."""
