import asyncio
import gzip
from typing import Any

import pytest
from support.asgi import Received

from codex_proapi.commons.http.connection.request_cycle import ClientGone
from codex_proapi.commons.http.limits import BodyDeadlines
from codex_proapi.gateway.errors import BodyTooSlow, TooLarge
from codex_proapi.gateway.server.http_limits import BODY_DEADLINES
from codex_proapi.gateway.server.read_body import read_body

IMPATIENT = BodyDeadlines(stall_seconds=0.01, least_rate=1, whole_seconds=60)
TEXT = b'{"model":"gpt-5.5","input":"' + b"lorem ipsum " * 1000 + b'"}'


async def test_a_body_comes_in_one_piece_or_in_many() -> None:
    assert await read_body(Received(TEXT), {}) == TEXT
    pieces = [TEXT[i : i + 777] for i in range(0, len(TEXT), 777)]
    assert await read_body(Received(*pieces), {}) == TEXT


async def test_a_body_that_says_it_is_too_large_is_not_even_read() -> None:
    with pytest.raises(TooLarge):
        await read_body(Received(), {b"content-length": b"2000"}, limit=1000)


@pytest.mark.parametrize("pieces", [(b"x" * 1001,), (b"x" * 600, b"x" * 600), (b"x" * 600,) * 9])
async def test_a_body_that_grows_too_large_is_refused(pieces: Any) -> None:
    with pytest.raises(TooLarge, match="0 MiB"):
        await read_body(Received(*pieces), {}, limit=1000)


async def test_a_body_that_stops_coming_is_not_waited_for() -> Any:
    first = Received(b"begin", b"never")

    async def receive() -> Any:
        if first._messages[0]["more_body"]:
            return await first()
        return await asyncio.Event().wait()

    with pytest.raises(BodyTooSlow):
        await read_body(receive, {}, deadlines=IMPATIENT)


async def test_a_client_that_hangs_up_is_nobody_to_answer() -> None:
    with pytest.raises(ClientGone):
        await read_body(Received(b"begin", gone=True), {})


async def test_a_packed_body_is_unpacked() -> None:
    headers = {b"content-encoding": b"gzip"}

    assert await read_body(Received(gzip.compress(TEXT)), headers) == TEXT


class Sender:
    """Sends a piece every ten seconds, as the loop's clock is made to believe."""

    def __init__(self, piece: bytes, *, pieces: int) -> None:
        self.sent = 0
        self._piece, self._pieces = piece, pieces

    async def __call__(self) -> Any:
        self.sent += 1
        await asyncio.sleep(0)
        more = self.sent < self._pieces
        return {"type": "http.request", "body": self._piece, "more_body": more}


async def sent_every_ten_seconds(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> bytes:
    loop = asyncio.get_running_loop()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + 10 * sender.sent)
    return await read_body(sender, {})


async def test_a_body_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(b"x", pieces=1000)

    with pytest.raises(BodyTooSlow):
        await sent_every_ten_seconds(sender, monkeypatch)

    assert sender.sent <= BODY_DEADLINES.stall_seconds / 10 + 2


async def test_a_body_that_comes_slowly_but_steadily_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender = Sender(b"x" * 10 * BODY_DEADLINES.least_rate, pieces=30)

    assert len(await sent_every_ten_seconds(sender, monkeypatch)) == 300 * BODY_DEADLINES.least_rate
