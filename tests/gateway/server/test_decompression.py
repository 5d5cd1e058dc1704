import gzip
import itertools
import zlib
from typing import Any

import pytest
import zstandard

from codex_proapi.gateway.errors import BadRequest, TooLarge
from codex_proapi.gateway.server.decompression import (
    MOST_MEMBERS,
    PIECE,
    SLICE,
    UNPACK_AT_ONCE,
    ZSTD_WINDOW,
    decompress,
)

TEXT = b'{"model":"gpt-5.5","input":"' + b"lorem ipsum " * 1000 + b'"}'
LIMIT = 64 * 1024 * 1024


def raw_deflate(text: Any) -> Any:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(text) + machine.flush()


def zstd(text: Any, **fields: Any) -> Any:
    return zstandard.ZstdCompressor(**fields).compress(text)


PACKERS: dict[str, Any] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd,
    "identity": bytes,
    " GZIP ": gzip.compress,
}


@pytest.mark.parametrize("packing", PACKERS)
async def test_a_packed_body_is_unpacked(packing: Any) -> None:
    assert await decompress(PACKERS[packing](TEXT), packing, LIMIT) == TEXT


@pytest.mark.parametrize("packing", ["", " ", ",", "identity"])
async def test_a_body_that_is_not_packed_is_left_alone(packing: Any) -> None:
    assert await decompress(TEXT, packing, LIMIT) == TEXT


async def test_deflate_without_its_header_is_understood_too() -> None:
    assert await decompress(raw_deflate(TEXT), "deflate", LIMIT) == TEXT


async def test_a_body_of_several_frames_or_members_is_one_body() -> None:
    assert await decompress(zstd(TEXT) + zstd(TEXT), "zstd", LIMIT) == TEXT + TEXT
    members = gzip.compress(TEXT) + gzip.compress(b"") + gzip.compress(TEXT)
    assert await decompress(members, "gzip", LIMIT) == TEXT + TEXT
    assert await decompress(members + bytes(512), "gzip", LIMIT) == TEXT + TEXT


@pytest.mark.parametrize("size", [SLICE - 1, SLICE, SLICE + 1, PIECE, 3 * PIECE + 17])
async def test_any_size_comes_out_as_it_went_in(size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_proapi.gateway.server.decompression.MOST_RATIO", 10_000)
    noise = (bytes(range(256)) * (size // 256 + 1))[:size]

    for level in (0, 9):
        packed = gzip.compress(noise, level)
        assert await decompress(packed + packed, "gzip", LIMIT) == noise + noise


@pytest.mark.parametrize("packings", list(itertools.product(["gzip", "deflate", "zstd"], repeat=2)))
async def test_two_packings_are_undone_the_last_one_first(packings: Any) -> None:
    first, second = packings
    packed = PACKERS[second](PACKERS[first](TEXT))

    assert await decompress(packed, f"{first} , {second}", LIMIT) == TEXT


@pytest.mark.parametrize("packing", ["br", "gzip, br", "br,gzip", "gzip, gzip, gzip", "*"])
async def test_an_unknown_packing_is_refused_with_those_we_know(packing: Any) -> None:
    with pytest.raises(BadRequest, match=r"must be deflate, gzip, .*zstd, or two") as caught:
        await decompress(TEXT, packing, LIMIT)

    assert caught.value.code == "unsupported_content_encoding"


@pytest.mark.parametrize(
    ("packing", "body"),
    # A cut zstd frame gives what it has, which is no JSON.
    [
        ("gzip", gzip.compress(TEXT, mtime=0)[:-9]),
        ("deflate", zlib.compress(TEXT)[:-9]),
        ("gzip", b""),
        *((packing, b"no such thing" * 9) for packing in ("gzip", "deflate", "zstd")),
        ("gzip", gzip.compress(TEXT, mtime=0) + b"and more"),
        ("gzip, zstd", zstd(TEXT)),
    ],
    ids=["cut gzip", "cut deflate", "nothing", "no gzip", "no deflate", "no zstd", "more", "less"],
)
async def test_a_body_that_is_not_packed_as_it_says_is_refused(packing: Any, body: Any) -> None:
    with pytest.raises(BadRequest, match="content-encoding") as caught:
        await decompress(body, packing, LIMIT)

    assert caught.value.code == "invalid_body"


@pytest.mark.parametrize("packing", ["gzip", "deflate", "zstd", "identity"])
async def test_a_small_body_that_unpacks_into_a_large_one_is_refused(packing: Any) -> None:
    with pytest.raises(TooLarge):
        await decompress(PACKERS[packing](TEXT), packing, 5000)


async def test_a_bomb_within_a_bomb_is_refused() -> None:
    bomb = gzip.compress(gzip.compress(bytes(LIMIT + 1)))

    with pytest.raises(TooLarge):
        await decompress(bomb, "gzip, gzip", LIMIT)


async def test_endless_members_of_nothing_are_refused() -> None:
    with pytest.raises(BadRequest):
        await decompress(gzip.compress(b"") * (MOST_MEMBERS + 1), "gzip", LIMIT)


async def test_a_frame_that_claims_much_memory_is_refused() -> None:
    greedy = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=greedy).compressobj()
    packed = packer.compress(bytes(2 * ZSTD_WINDOW)) + packer.flush()

    with pytest.raises(BadRequest):
        await decompress(packed, "zstd", LIMIT)


async def test_a_large_packed_body_is_unpacked_beside_the_loop() -> None:
    noise = bytes(range(256)) * (UNPACK_AT_ONCE // 200)
    packed = gzip.compress(noise, 0)

    assert len(packed) > UNPACK_AT_ONCE
    assert await decompress(packed, "gzip", LIMIT) == noise
