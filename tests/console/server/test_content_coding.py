"""What a client says of gzip is heard."""

import pytest
from support.console_pages import filled_console

from codex_proapi.console.server.content_coding import accepts_gzip


@pytest.mark.parametrize(
    ("accepted", "gzip"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=abc", False),
        ("br", False),
        ("identity", False),
        ("", False),
    ],
)
def test_gzip_is_taken_where_it_is_accepted(accepted: str, gzip: bool) -> None:
    assert accepts_gzip(accepted) is gzip


@pytest.mark.parametrize("accepted", ["gzip;q=0", "identity", "*;q=0"])
@pytest.mark.parametrize("path", ["/", "/keys", "/api/keys", "/favicon.ico"])
async def test_who_refuses_gzip_gets_none(redis_url: str, accepted: str, path: str) -> None:
    async with filled_console(redis_url) as client:
        answer = await client.get(path, **{"accept-encoding": accepted})

    assert "content-encoding" not in answer.headers


async def test_pages_are_compressed_for_who_accepts_anything(redis_url: str) -> None:
    async with filled_console(redis_url) as client:
        answer = await client.get("/keys", **{"accept-encoding": "*"})

    assert answer.headers["content-encoding"] == "gzip"
