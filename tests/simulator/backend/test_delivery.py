"""What a client sees on the wire when a stream goes wrong."""

import asyncio
from typing import Any

import httpx
import pytest
from support.requests_upstream import a_turn, events_of

from codex_proapi.simulator import Simulator


async def ask(
    http: httpx.AsyncClient, sim: Simulator, prompt: Any = "count to 20", **changes: Any
) -> Any:
    return await http.post(
        f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn(prompt, **changes)
    )


async def received(http: httpx.AsyncClient, sim: Simulator) -> Any:
    """The bytes of a stream up to its end, and the error that ended it."""
    got = bytearray()
    request = http.stream(
        "POST", f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn("count to 20")
    )
    try:
        async with request as answer:
            async for piece in answer.aiter_raw():
                got += piece
    except httpx.TransportError as error:
        return bytes(got), type(error)
    return bytes(got), None


CUTS = [("close", httpx.RemoteProtocolError), ("reset", httpx.ReadError), ("eof", None)]


@pytest.mark.parametrize(("how", "error"), CUTS)
@pytest.mark.parametrize("at", [1, 700, 3000])
async def test_a_stream_is_cut_at_the_very_byte(
    sim: Simulator, http: httpx.AsyncClient, how: Any, error: Any, at: Any
) -> None:
    whole = (await ask(http, sim)).content
    sim.script("truncated", cut_after=at, cut=how)

    got, ended = await received(http, sim)

    assert (len(got), ended) == (at, error)
    assert got[:30] == whole[:at][:30]
    assert (sim.turns[-1].ending, sim.turns[-1].bytes_sent) == ("cut", at)


async def test_a_stream_that_is_left_alone_is_whole(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    answer = await ask(http, sim)

    assert events_of(answer.content)[-1]["type"] == "response.completed"
    assert sim.turns[-1].ending == "whole"
    assert sim.turns[-1].bytes_sent == len(answer.content)


async def test_dribbled_bytes_are_the_same_bytes(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("dribble", dribble=5)

    answer = await ask(http, sim)

    assert len(events_of(answer.content)) > 20


async def test_silence_before_the_first_event_holds_everything_back(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    sim.script("silent", silence=3600)

    asking = asyncio.ensure_future(ask(http, sim))
    await _until(lambda: sim.turns and sim.turns[-1].status == 200)
    asking.cancel()
    await _until(lambda: sim.turns[-1].ending)

    assert (sim.turns[-1].ending, sim.turns[-1].bytes_sent) == ("client_left", 0)


async def test_silence_after_a_word_comes_after_that_word(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    sim.script("silent_between", silence=3600, words=1)
    got = bytearray()

    async def read() -> Any:
        async with http.stream(
            "POST", f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn("say a b")
        ) as answer:
            async for piece in answer.aiter_raw():
                got.extend(piece)

    def deltas() -> list[Any]:
        whole = bytes(got).rpartition(b"\n\n")[0]
        return [e["delta"] for e in events_of(whole) if e["type"].endswith("delta")]

    reading = asyncio.ensure_future(read())
    await _until(deltas)
    assert deltas() == ["a"]
    sim.hurry()
    await reading
    assert "".join(deltas()) == "a b"


GARBAGE = [
    ("utf8", b"\xff\xfe\xc3"),
    ("not_json", b"{this is no json"),
    ("half_event", b'"response.out'),
]


@pytest.mark.parametrize(("kind", "raw"), GARBAGE)
async def test_garbage_stands_between_events(
    sim: Simulator, http: httpx.AsyncClient, kind: Any, raw: Any
) -> None:
    sim.script("garbage_json", garbage=kind)

    answer = await ask(http, sim)

    assert raw in answer.content
    assert answer.content.endswith(b"\n\n")


async def test_a_giant_line_is_giant(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("giant_line")

    answer = await ask(http, sim)

    assert len(answer.content) > 32 * 1024 * 1024


async def test_comments_a_mark_and_a_last_line_may_be_mixed_in(
    sim: Simulator, http: httpx.AsyncClient
) -> None:
    sim.script("slow", pace=0, comments=True, framing="bom", terminal="done_marker")

    answer = await ask(http, sim, "say hi")

    assert answer.content.startswith(b"\xef\xbb\xbf: ping\n\nevent: response.created")
    assert answer.content.endswith(b"data: [DONE]\n\n")


async def test_words_may_come_slowly(sim: Simulator, http: httpx.AsyncClient) -> None:
    sim.script("slow", pace=0.01)

    async with http.stream(
        "POST", f"{sim.base_url}/responses", headers=sim.headers("ada"), json=a_turn("count to 9")
    ) as answer:
        pieces = [piece async for piece in answer.aiter_raw()]

    assert len(pieces) > 5


async def _until(true: Any) -> Any:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.01)
