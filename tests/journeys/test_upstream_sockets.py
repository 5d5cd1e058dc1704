"""Requests that go to the backend over WebSocket: for every client, and by POST where that fails."""

from typing import Any

import pytest
from support.gateways import Stage, a_response, events_of, stage
from support.sockets import create, socket_to, text_of

from codex_proapi.gateway.settings import TransportSetting
from codex_proapi.gateway.upstream.websocket import socket_turns

SOCKETS = {"upstream_transport": TransportSetting.WEBSOCKET}
AUTO = {"upstream_transport": TransportSetting.AUTO}


def methods(play: Stage) -> list[str]:
    return [turn.method for turn in play.sim.turns]


def faults(play: Stage, kind: str) -> float:
    return float(
        play.replicas[0].gateway.metrics.transports.socket_faults.labels(kind)._value.get()
    )


async def blamed(play: Stage) -> dict[str, str]:
    """Who is passed over, once the exchanges are settled."""
    await play.records(1)
    return await play.cooling()


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.6-sol"])
async def test_every_client_is_served_over_websocket(redis_url: str, model: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        chat = await play.chat(model=model)
        streamed = await play.client.post(
            "/v1/responses", json=a_response("say hello", model=model, stream=True)
        )

        assert chat.json()["choices"][0]["message"]["content"] == "hello"
        assert events_of(streamed.content)[-1]["type"] == "response.completed"
        assert methods(play) == ["WEBSOCKET", "WEBSOCKET"]
        assert [record.transport for record in await play.records(2)] == ["websocket"] * 2
        [first, _] = play.sim.turns
        assert first.body["type"] == "response.create"
        assert "previous_response_id" not in first.body


async def test_a_client_over_websocket_is_served_over_one(redis_url: str) -> None:
    async with (
        stage(redis_url, "ada", **SOCKETS) as play,
        socket_to(play.replicas[0].url) as socket,
    ):
        first = await socket.turn(say="say one")
        await socket.send(create(say="say two", previous_response_id=first[-1]["response"]["id"]))
        second = await socket.answer()

        assert (text_of(first), text_of(second)) == ("one", "two")
        assert methods(play) == ["WEBSOCKET", "WEBSOCKET"]


@pytest.mark.parametrize(
    ("status", "times"), [(426, 1), (404, 1), (401, 1), (403, 1), (429, 1), (500, 2), (503, 2)]
)
async def test_a_refused_upgrade_is_a_post_and_remembered(
    redis_url: str, status: int, times: int
) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script("upgrade_required", on="upgrade", status=status, times=None)
        for _ in range(times + 2):
            assert (await play.chat()).status_code == 200

        assert methods(play) == ["POST"] * (times + 2)
        upgrades = [each for each in play.sim.requests if each.method == "GET"]
        assert len([each for each in upgrades if each.path.endswith("/responses")]) == times
        assert await blamed(play) == {}


@pytest.mark.parametrize(
    "fault", ["connection_reset", "closed_1011_frame", "closed_1001_frame", "closed_1008_frame"]
)
async def test_a_socket_that_ends_before_the_beginning_is_asked_again_by_post(
    redis_url: str, fault: str
) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script(fault)
        answer = await play.chat()

        assert answer.status_code == 200
        assert methods(play) == ["WEBSOCKET", "POST"]
        assert await blamed(play) == {}
        assert faults(play, "lost") == 1


async def test_a_message_that_is_too_large_goes_by_post(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script("closed_1009_frame")
        assert (await play.chat()).status_code == 200
        assert methods(play) == ["WEBSOCKET", "POST"]
        play.sim.world.socket_message_bytes = 2000
        assert (await play.chat("say hello " + "x" * 5000)).status_code == 200

        assert methods(play)[2:] == ["POST"]
        assert await blamed(play) == {}


async def test_nothing_is_asked_again_once_the_backend_has_begun(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", **SOCKETS) as play:
        play.sim.script("closed_1011_created")
        answer = await play.chat()

        assert answer.status_code == 502
        assert answer.json()["error"]["code"] == "upstream_connection_lost"
        assert methods(play) == ["WEBSOCKET"]
        assert await blamed(play) == {}


async def test_a_break_after_the_first_words_blames_nobody(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        last = []
        for _ in range(3):
            play.sim.script("closed_1011_words", words=2, pace=0.01)
            answer = await play.client.post(
                "/v1/responses", json=a_response("count to 20", stream=True)
            )
            last.append(events_of(answer.content)[-1]["type"])

        assert last == ["error", "error", "response.completed"]
        assert await blamed(play) == {}
        assert methods(play) == ["WEBSOCKET", "WEBSOCKET", "POST"]  # it is left after two faults


async def test_silence_ends_with_a_post(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_turns, "FIRST_EVENT_SECONDS", 0.3)
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script("socket_silent")
        assert (await play.chat()).status_code == 200

        assert methods(play) == ["WEBSOCKET", "POST"]
        assert (await play.chat()).status_code == 200
        assert methods(play)[2:] == ["POST"], "nobody waits for a second silence"
        assert faults(play, "silent") == 1
        assert await blamed(play) == {}


@pytest.mark.parametrize(
    ("fault", "accounts"),
    [("usage_limit_reached", 2), ("overloaded", 2), ("failed", 1)],
)
async def test_refusals_in_frames_are_the_accounts_as_by_post(
    redis_url: str, fault: str, accounts: int
) -> None:
    async with stage(redis_url, "ada", "ben", **SOCKETS) as play:
        play.sim.script(fault, times=1 if fault != "overloaded" else 2)
        assert (await play.chat()).status_code == 200

        assert set(methods(play)) == {"WEBSOCKET"}
        assert len({turn.account for turn in play.sim.turns}) == accounts


@pytest.mark.parametrize("fault", ["connection_limit", "previous_not_found", "socket_binary"])
async def test_what_concerns_the_connection_alone_costs_no_client_an_answer(
    redis_url: str, fault: str
) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script(fault)

        assert (await play.chat()).status_code == 200


async def test_large_requests_and_answers_pass(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        answer = await play.chat("say hello " + "x" * 1_000_000)
        counted = await play.chat("count to 3000")

        assert answer.status_code == 200
        assert counted.json()["choices"][0]["message"]["content"].endswith("3000")
        assert methods(play) == ["WEBSOCKET", "WEBSOCKET"]


async def test_a_client_that_leaves_ends_the_request(redis_url: str) -> None:
    async with stage(redis_url, "ada", **SOCKETS) as play:
        play.sim.script("slow", pace=0.5)
        body: Any = a_response("count to 20", stream=True)
        async with play.client.stream("POST", "/v1/responses", json=body) as answer:
            async for _ in answer.aiter_bytes():
                break
        await play.until(lambda: play.sim.turns[0].ending)

        assert play.sim.turns[0].ending == "client_left"
        sockets = play.replicas[0].gateway.upstream.sockets
        await play.until(lambda: len(sockets.sockets) == 0)


async def test_auto_begins_with_a_post_and_goes_on_over_websocket(redis_url: str) -> None:
    async with stage(redis_url, "ada", **AUTO) as play:
        await play.until_polled()
        for _ in range(3):
            assert (await play.chat(model="gpt-5.6-sol")).status_code == 200

        assert methods(play) == ["POST", "WEBSOCKET", "WEBSOCKET"]


async def test_http_uses_no_websocket(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        assert (await play.chat()).status_code == 200

        assert methods(play) == ["POST"]
        assert [record.transport for record in await play.records(1)] == ["http"]
