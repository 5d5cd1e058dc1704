import asyncio
import gzip
import zlib
from typing import Any

import pytest
import zstandard
from support.asgi import Received

from gateway.errors import BadRequest, BodyTooSlow, TooLarge
from gateway.web.bodies import UNPACK_AT_ONCE, ClientGone, read_body

TEXT = b'{"model":"gpt-5.5","input":"' + b"lorem ipsum " * 1000 + b'"}'

PACKED = {
    b"gzip": gzip.compress(TEXT),
    b"x-gzip": gzip.compress(TEXT),
    b"deflate": zlib.compress(TEXT),
    b"zstd": zstandard.ZstdCompressor().compress(TEXT),
    b"identity": TEXT,
    b" GZIP ": gzip.compress(TEXT),
}


async def test_a_body_comes_in_one_piece_or_in_many() -> None:
    assert await read_body(Received(TEXT), {}) == TEXT
    pieces = [TEXT[i : i + 777] for i in range(0, len(TEXT), 777)]
    assert await read_body(Received(*pieces), {}) == TEXT


@pytest.mark.parametrize("packing", PACKED)
async def test_a_packed_body_is_unpacked(packing: Any) -> None:
    headers = {b"content-encoding": packing}

    assert await read_body(Received(PACKED[packing]), headers) == TEXT


async def test_deflate_without_its_header_is_understood_too() -> None:
    machine = zlib.compressobj(wbits=-15)
    raw = machine.compress(TEXT) + machine.flush()

    assert await read_body(Received(raw), {b"content-encoding": b"deflate"}) == TEXT


async def test_a_body_of_several_zstd_frames_is_one_body() -> None:
    frames = b"".join(zstandard.ZstdCompressor().compress(half) for half in (TEXT, TEXT))

    assert await read_body(Received(frames), {b"content-encoding": b"zstd"}) == TEXT + TEXT


async def test_a_large_packed_body_is_unpacked_beside_the_loop() -> None:
    noise = bytes(range(256)) * (UNPACK_AT_ONCE // 200)
    packed = gzip.compress(noise, 0)

    assert len(packed) > UNPACK_AT_ONCE
    assert await read_body(Received(packed), {b"content-encoding": b"gzip"}) == noise


@pytest.mark.parametrize(
    ("packing", "fault"),
    # A cut zstd frame gives what it has, which is no JSON.
    [
        (b"gzip", "cut"),
        (b"deflate", "cut"),
        *((p, "noise") for p in (b"gzip", b"deflate", b"zstd")),
    ],
)
async def test_a_body_that_is_not_packed_as_it_says_is_refused(packing: Any, fault: str) -> None:
    body = PACKED[packing][:-9] if fault == "cut" else b"no such thing" * 9
    with pytest.raises(BadRequest, match="content-encoding"):
        await read_body(Received(body), {b"content-encoding": packing})


async def test_an_unknown_packing_is_refused_with_those_we_know() -> None:
    with pytest.raises(BadRequest, match=r"gzip.*zstd"):
        await read_body(Received(TEXT), {b"content-encoding": b"br"})


async def test_a_body_that_says_it_is_too_large_is_not_even_read() -> None:
    with pytest.raises(TooLarge):
        await read_body(Received(), {b"content-length": b"2000"}, limit=1000)


@pytest.mark.parametrize("pieces", [(b"x" * 1001,), (b"x" * 600, b"x" * 600), (b"x" * 600,) * 9])
async def test_a_body_that_grows_too_large_is_refused(pieces: Any) -> None:
    with pytest.raises(TooLarge, match="0 MiB"):
        await read_body(Received(*pieces), {}, limit=1000)


@pytest.mark.parametrize("packing", [b"gzip", b"deflate", b"zstd", b"identity"])
async def test_a_small_body_that_unpacks_into_a_large_one_is_refused(packing: Any) -> None:
    with pytest.raises(TooLarge):
        await read_body(Received(PACKED[packing]), {b"content-encoding": packing}, limit=5000)


async def test_a_body_that_stops_coming_is_not_waited_for() -> Any:
    first = Received(b"begin", b"never")

    async def receive() -> Any:
        if first._messages[0]["more_body"]:
            return await first()
        return await asyncio.Event().wait()

    with pytest.raises(BodyTooSlow):
        await read_body(receive, {}, stall=0.01)


async def test_a_client_that_hangs_up_is_nobody_to_answer() -> None:
    with pytest.raises(ClientGone):
        await read_body(Received(b"begin", gone=True), {})
