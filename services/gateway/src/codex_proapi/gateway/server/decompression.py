"""A packed request body is unpacked: gzip, deflate, zstd, or one over the other.

Every step stops at the limit, long before a bomb fills the memory. What the body means, and how
it is read from the socket, is decided elsewhere.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterator, Mapping

import zstandard

from codex_proapi.gateway.errors import BadRequest, TooLarge

UNPACK_AT_ONCE = 16 * 1024
"""Packed size from which a thread unpacks; so many bytes may hold a thousand times as many."""
PIECE = 1024 * 1024
"""How much is unpacked at a time."""
SLICE = 64 * 1024
"""How much of a packed body is looked at at a time: zlib copies what it has not used yet."""
MOST_MEMBERS = 10_000
"""gzip members in one body; tools that pack in parallel write one for each 64 KiB or more."""
MOST_PACKINGS = 2
"""How often a body may be packed; nobody was seen to do it more than once."""
ZSTD_WINDOW = 8 * 1024 * 1024
"""Memory a zstd frame may claim; HTTP allows it no more (RFC 9659)."""


async def decompress(body: bytes, packing: str, limit: int) -> bytes:
    """The body without its packings, which `content-encoding` lists in the order they were put on.

    Raises BadRequest or TooLarge.
    """
    names = [name for name in map(str.strip, packing.lower().split(",")) if name]
    unknown = [name for name in names if name not in UNPACKERS]
    if unknown or len(names) > MOST_PACKINGS:
        known = ", ".join(sorted(UNPACKERS))
        raise BadRequest(
            f"content-encoding must be {known}, or two of them in a row.",
            code="unsupported_content_encoding",
        )
    for name in reversed(names):
        try:
            if len(body) < UNPACK_AT_ONCE:
                body = UNPACKERS[name](body, limit)
            else:
                body = await asyncio.to_thread(UNPACKERS[name], body, limit)
        except (zlib.error, zstandard.ZstdError):
            raise BadRequest(
                f"The body is not {name}, as its content-encoding says.", code="invalid_body"
            ) from None
    return body


def too_large(limit: int) -> TooLarge:
    """The error for a body beyond the limit."""
    return TooLarge(f"The body is larger than {limit // (1024 * 1024)} MiB.")


def _gunzip(body: bytes, limit: int) -> bytes:
    return _limited(_inflated(body, 31), limit)


def _inflate_either(body: bytes, limit: int) -> bytes:
    """`deflate` means the zlib format; some clients send it without the zlib header."""
    try:
        return _limited(_inflated(body, 15), limit)
    except zlib.error:
        return _limited(_inflated(body, -15), limit)


def _inflated(body: bytes, window: int) -> Iterator[bytes]:
    """What the members of a body hold, one after the other; zeros may follow the last."""
    members = 0
    machine = zlib.decompressobj(window)
    for start in range(0, len(body), SLICE):
        rest = body[start : start + SLICE]
        while rest:
            if machine.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                members += 1
                if members >= MOST_MEMBERS:
                    raise zlib.error("too many members")
                machine = zlib.decompressobj(window)
            yield machine.decompress(rest, PIECE)
            rest = machine.unused_data if machine.eof else machine.unconsumed_tail
    yield machine.flush()
    if not machine.eof:
        raise zlib.error("incomplete")


def _unpack_zstd(body: bytes, limit: int) -> bytes:
    machine = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    with machine.stream_reader(body, read_across_frames=True) as reader:
        return _limited(iter(lambda: reader.read(PIECE), b""), limit)


def _limited(pieces: Iterator[bytes], limit: int) -> bytes:
    kept: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        kept.append(piece)
    return b"".join(kept)


def _as_it_is(body: bytes, limit: int) -> bytes:
    return _limited(iter((body,)), limit)


UNPACKERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_either,
    "zstd": _unpack_zstd,
    "identity": _as_it_is,
}
"""Ways a body may be packed."""
