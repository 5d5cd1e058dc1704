"""Decompresses request bodies: gzip, deflate, zstd, or several of them applied in turn.

Every step enforces limits of size and of ratio, so that a decompression bomb is refused early.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import zstandard

from codex_proapi.gateway.errors import BadRequest, TooLarge
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.body_threads import in_thread

UNPACK_AT_ONCE = 16 * 1024
"""Compressed bytes from which a thread decompresses: they may expand a thousandfold."""
PIECE = 1024 * 1024
"""Most bytes decompressed at a time."""
SLICE = 64 * 1024
"""Compressed bytes given to zlib at a time: it copies what it has not used yet."""
MOST_MEMBERS = 10_000
"""Most gzip members in one body; tools that compress in parallel write one for each 64 KiB or more."""
MOST_ENCODINGS = 2
"""Most content encodings of one body; no client was seen to use more than one."""
MOST_RATIO = 50
"""Most bytes decompressed for each compressed one; conversations were seen to have 20."""
RATIO_BYTES = 4 * 1024 * 1024
"""Decompressed bytes up to which any ratio is allowed: as much text as the largest context takes. A
log in a tool's result that repeats one line ten thousand times has a ratio of a hundred."""
ZSTD_WINDOW = 8 * 1024 * 1024
"""Largest window of a zstd frame in bytes, the most that HTTP allows (RFC 9659)."""


async def decompress(body: bytes, packing: str, limit: int, hold: BodyHold | None = None) -> bytes:
    """Decompress a body; from UNPACK_AT_ONCE bytes on in a thread, when its key's turn comes.

    Args:
        body: the compressed body, whose bytes `hold` holds.
        packing: value of `content-encoding`: the encodings in the order in which they were applied.
        limit: most bytes of the result.
        hold: the request's share of the body budget; takes the bytes of the result, and releases
            those of `body`.

    Raises:
        BadRequest: an encoding is not known, or the body is not encoded so.
        TooLarge: the result exceeds `limit` or MOST_RATIO.
        Overloaded: the body budget is exhausted.
    """
    names = [name for name in map(str.strip, packing.lower().split(",")) if name]
    unknown = [name for name in names if name not in UNPACKERS]
    if unknown or len(names) > MOST_ENCODINGS:
        known = ", ".join(sorted(UNPACKERS))
        raise BadRequest(
            f"content-encoding must be {known}, or two of them in a row.",
            code="unsupported_content_encoding",
        )
    most = min(limit, max(RATIO_BYTES, MOST_RATIO * len(body)))
    hold = hold or BodyHold()
    for name in reversed(names):
        unpacked = _Unpacked(most, limit, hold)
        try:
            work = partial(_unpacked, name, body, unpacked)
            packed = len(body)
            if packed < UNPACK_AT_ONCE:
                body = work()
            else:
                async with hold.turn():
                    body = await in_thread(work)
        except (zlib.error, zstandard.ZstdError):
            raise BadRequest(
                f"The body is not {name}, as its content-encoding says.", code="invalid_body"
            ) from None
        hold.release(packed)
    return body


def too_large(limit: int) -> TooLarge:
    """The error for a body beyond the limit."""
    return TooLarge(f"The body is larger than {limit // (1024 * 1024)} MiB.")


class _Unpacked:
    """The pieces of a decompressed body, within its limits."""

    def __init__(self, most: int, limit: int, hold: BodyHold) -> None:
        self._most = most
        self._limit = limit
        self._hold = hold
        self._pieces: list[bytes] = []
        self._size = 0

    def __repr__(self) -> str:
        return f"<_Unpacked {self._size} bytes>"

    def extend(self, pieces: Iterable[bytes]) -> None:
        """Add every piece. Raises TooLarge or Overloaded."""
        for piece in pieces:
            self._size += len(piece)
            if self._size > self._limit:
                raise too_large(self._limit)
            if self._size > self._most:
                raise TooLarge(f"The body unpacks to more than {MOST_RATIO} times its size.")
            self._hold.take(len(piece))
            self._pieces.append(piece)

    def clear(self) -> None:
        """Drop the pieces, which were decompressed as another format than they have."""
        self._hold.release(self._size)
        self._pieces.clear()
        self._size = 0

    def joined(self) -> bytes:
        """The whole body in one piece; the pieces are dropped."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _unpacked(name: str, body: bytes, unpacked: _Unpacked) -> bytes:
    UNPACKERS[name](body, unpacked)
    return unpacked.joined()


def _gunzip(body: bytes, unpacked: _Unpacked) -> None:
    unpacked.extend(_inflated(body, 31))


def _inflate_either(body: bytes, unpacked: _Unpacked) -> None:
    """Decompress `deflate`: the zlib format, which some clients send without its header."""
    try:
        unpacked.extend(_inflated(body, 15))
    except zlib.error:
        unpacked.clear()
        unpacked.extend(_inflated(body, -15))


def _inflated(body: bytes, window: int) -> Iterator[bytes]:
    """Decompress all members of a body; zeros may follow the last one."""
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


def _unpack_zstd(body: bytes, unpacked: _Unpacked) -> None:
    machine = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    with machine.stream_reader(body, read_across_frames=True) as reader:
        unpacked.extend(iter(lambda: reader.read(PIECE), b""))


def _as_it_is(body: bytes, unpacked: _Unpacked) -> None:
    unpacked.extend((body,))


UNPACKERS: Mapping[str, Callable[[bytes, _Unpacked], None]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate_either,
    "zstd": _unpack_zstd,
    "identity": _as_it_is,
}
"""Decompression by name of the content encoding."""
