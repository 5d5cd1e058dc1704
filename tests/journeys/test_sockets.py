"""The Responses API over WebSocket: a client's connection from its upgrade to its end."""

import asyncio
import contextlib
from typing import Any

import aiohttp
import msgspec
import pytest
from support.gateways import Stage, a_response, stage
from support.sockets import BETA, CODEX, Socket, create, socket_to, text_of, user

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.gateway.websocket.create_frame import MESSAGE_BYTES

PATHS = ("/v1/responses", "/responses", "/backend-api/codex/responses")


async def closed_with(socket: Socket) -> Any:
    """The close code, after the frames before it."""
    while isinstance(found := await socket.receive(), dict):
        pass
    return found


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [CODEX, {}], ids=["codex", "other"])
async def test_a_turn_is_answered_on_every_path(
    redis_url: str, path: str, headers: dict[str, str]
) -> None:
    async with (
        stage(redis_url, "ada") as play,
        socket_to(play.replicas[0].url + path, headers) as socket,
    ):
        assert int(socket.headers["x-codex-websocket-max-message-bytes"]) == MESSAGE_BYTES
        events = await socket.turn(say="say hello")
        again = await socket.turn(say="say more")

        assert events[0]["type"] == "response.created"
        assert events[-1]["type"] == "response.completed"
        assert (text_of(events), text_of(again)) == ("hello", "more")
        records = await play.records(2)
        assert [record.endpoint for record in records] == ["responses", "responses"]
        assert len({record.request_id for record in records}) == 2


async def test_a_prepared_connection_costs_nothing_and_what_follows_brings_only_the_new(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada", "ben") as play, socket_to(play.replicas[0].url) as socket:
        prepared = await socket.turn(generate=False, input=[user("the rules")])
        assert [event["type"] for event in prepared] == ["response.created", "response.completed"]
        assert play.sim.turns == []
        first = await socket.turn(
            previous_response_id=prepared[-1]["response"]["id"], input=[user("say one")]
        )
        second = await socket.turn(
            previous_response_id=first[-1]["response"]["id"], input=[user("say two")]
        )

        assert (text_of(first), text_of(second)) == ("one", "two")
        sent = play.sim.turns[-1].body
        said = [str(item.get("content", "")) for item in sent["input"] if item["type"] == "message"]
        assert [
            part in text for part, text in zip(("rules", "one", "one", "two"), said, strict=False)
        ] == [True] * 4
        assert "previous_response_id" not in sent
        assert "generate" not in sent


async def test_an_increment_is_whole_for_another_account(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play, socket_to(play.replicas[0].url) as socket:
        first = await socket.turn(say="say one")
        play.sim.script("usage_limit_reached", account=play.sim.turns[0].account)
        second = await socket.turn(
            previous_response_id=first[-1]["response"]["id"], input=[user("say two")]
        )

        assert text_of(second) == "two"
        assert len({turn.account for turn in play.sim.turns}) == 2
        assert "say one" in str(play.sim.turns[-1].body["input"])


async def test_a_stored_response_can_be_continued_by_anybody_of_the_key(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        stored = await play.client.post("/v1/responses", json=a_response("say one"))
        async with socket_to(play.replicas[0].url, {}) as socket:
            found = await socket.turn(
                previous_response_id=stored.json()["id"], input=[user("say two")], store=True
            )
            more = await socket.turn(
                previous_response_id=found[-1]["response"]["id"], input=[user("say three")]
            )

        assert (text_of(found), text_of(more)) == ("two", "three")
        assert "say one" in str(play.sim.turns[-1].body["input"])


async def test_an_unknown_response_has_the_error_that_clients_answer_with_the_whole_input(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        for generate in (True, False):
            [error] = await socket.turn(
                previous_response_id="resp_nobody_knows", input=[user("hi")], generate=generate
            )

            assert (error["type"], error["status"]) == ("error", 400)
            assert error["error"]["code"] == "previous_response_not_found"
            assert "status_code" not in error
        assert text_of(await socket.turn(say="say hello")) == "hello"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("usage_limit_reached", 429, "usage_limit_reached"),
        ("context_length_exceeded", 400, "context_length_exceeded"),
    ],
)
async def test_a_refusal_is_an_error_frame_and_the_connection_goes_on(
    redis_url: str, fault: str, status: int, code: str
) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        play.sim.script(fault)
        [error] = await socket.turn(say="say hello")

        assert (error["type"], error["status"]) == ("error", status)
        assert code in (error["error"]["code"], error["error"]["type"])
        if fault == "usage_limit_reached":
            assert error["error"]["resets_at"] > 0
        else:
            assert text_of(await socket.turn(say="say hello")) == "hello"


async def test_a_rate_limit_of_the_key_says_when_to_come_again(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        _, secret = await play.make_key(limits=Limits(rpm=1))
        headers = {**CODEX, "authorization": f"Bearer {secret}"}
        async with socket_to(play.replicas[0].url, headers) as socket:
            await socket.turn(say="say hello")
            [error] = await socket.turn(say="say hello")

        assert (error["status"], error["error"]["code"]) == (429, "rate_limit_exceeded")
        assert int(error["headers"]["retry-after"]) > 0
        assert len(play.sim.turns) == 1


async def test_a_break_after_the_first_words_ends_with_one_failure(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        play.sim.script("failed_after_words", words=3, pace=0.01)
        events = await socket.turn(say="count to 20")
        again = await socket.turn(say="say hello")

        assert events[-1]["type"] == "response.failed"
        assert again[0]["type"] == "response.created"  # no second error of the turn before
        assert text_of(again) == "hello"


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ("no json", "body"),
        ("[]", "body"),
        ('{"type":"response.create","model":"gpt-5.5","input":3}', "input"),
        ('{"type":"response.create","model":"no-such-model","input":"hi"}', "model"),
        ('{"type":"response.create","previous_response_id":7}', "previous_response_id"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    redis_url: str, data: str, param: str
) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        await socket.ws.send_str(data)
        [error] = await socket.answer()

        assert 400 <= error["status"] < 500
        assert error["error"]["param"] == param
        assert text_of(await socket.turn(say="say hello")) == "hello"


async def test_unknown_frames_are_ignored(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        for kind in ("response.processed", "response.interrupt", "anything"):
            await socket.send({"type": kind, "response_id": "resp_1"})

        assert text_of(await socket.turn(say="say hello")) == "hello"


async def test_a_frame_during_a_turn_is_refused_and_the_turn_goes_on(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        play.sim.script("slow", pace=0.05)
        await socket.send(create(say="count to 20"))
        begun = [await socket.receive()]
        await socket.send(create(say="say hello"))
        events = begun + await socket.answer()
        if events[-1]["type"] == "error":
            assert events.pop()["error"]["code"] == "response_in_progress"
            events += await socket.answer()

        assert events[-1]["type"] == "response.completed"
        assert "20" in text_of(events)
        assert len(play.sim.turns) == 1


async def test_a_client_that_leaves_ends_the_turn_upstream(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        play.sim.script("slow", pace=0.5)
        async with socket_to(play.replicas[0].url) as socket:
            await socket.send(create(say="count to 20"))
            while (await socket.receive())["type"] != "response.output_text.delta":
                pass
            connection: Any = socket.ws._response.connection
            connection.transport.abort()
            await play.until(lambda: play.sim.turns[0].ending)

        assert play.sim.turns[0].ending == "client_left"
        [record] = await play.records(1)
        assert record.ending.value == "abandoned"


async def test_sub_agents_have_connections_of_their_own(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        url = play.replicas[0].url
        async with socket_to(url) as first, socket_to(url) as second:
            one, two = await asyncio.gather(first.turn(say="say one"), second.turn(say="say two"))

        assert (text_of(one), text_of(two)) == ("one", "two")


async def test_a_wrong_key_is_refused_before_the_upgrade(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        headers = {**CODEX, "authorization": "Bearer wrong"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with socket_to(play.replicas[0].url, headers):
                pass

        assert refused.value.status == 401


async def test_a_foreign_page_is_refused_while_no_key_is_needed(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with socket_to(play.replicas[0].url, origin="https://evil.example"):
                pass

        assert refused.value.status == 403


@pytest.mark.parametrize("busy", [False, True])
async def test_a_revoked_key_ends_its_connections(redis_url: str, *, busy: bool) -> None:
    async with stage(redis_url, "ada") as play:
        key, secret = await play.make_key()
        headers = {**CODEX, "authorization": f"Bearer {secret}"}
        async with socket_to(play.replicas[0].url, headers) as socket:
            await socket.turn(say="say hello")
            if busy:
                play.sim.script("slow", pace=0.5)
                await socket.send(create(say="count to 1000"))
                await socket.receive()
            await play.keys.revoke(key.id)

            assert await closed_with(socket) == 1008


@pytest.mark.parametrize("busy", [False, True])
async def test_a_drain_closes_idle_connections_at_once_and_busy_ones_after_their_turn(
    redis_url: str, *, busy: bool
) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        await socket.turn(say="say hello")
        if busy:
            play.sim.script("slow", pace=0.05)
            await socket.send(create(say="count to 20"))
            await socket.receive()
        play.replicas[0].server.drain(60.0)
        if busy:
            assert (await socket.answer())[-1]["type"] == "response.completed"

        assert await closed_with(socket) == 1001


async def test_a_message_beyond_the_announced_size_closes_with_1009(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        body = msgspec.json.encode(create(generate=False, input=[user("")]))
        async with socket_to(play.replicas[0].url) as socket:
            padding = b'"text":"%b"' % (b"x" * (MESSAGE_BYTES - len(body)))
            await socket.ws.send_str(body.replace(b'"text":""', padding).decode())
            assert (await socket.answer())[-1]["type"] == "response.completed"
            with contextlib.suppress(ConnectionError):  # it may be told before it has sent all
                await socket.ws.send_str("x" * (MESSAGE_BYTES + 1))

            assert await closed_with(socket) == 1009


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda ws: ws.send_bytes(b"{}"), 1003),
        (lambda ws: ws._writer.send_frame(b"\xff\xfe", 1), 1007),
    ],
    ids=["binary", "not_utf8"],
)
async def test_what_is_no_text_closes_with_its_code(redis_url: str, send: Any, code: int) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        await send(socket.ws)

        assert await closed_with(socket) == code


async def test_compression_is_declined(redis_url: str) -> None:
    async with (
        stage(redis_url, "ada") as play,
        socket_to(play.replicas[0].url, compress=15) as socket,
    ):
        assert "sec-websocket-extensions" not in socket.headers
        assert text_of(await socket.turn(say="say hello")) == "hello"


async def test_the_lite_shape_stands_in_a_frames_metadata(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, socket_to(play.replicas[0].url) as socket:
        metadata = {
            "ws_request_header_x_openai_internal_codex_responses_lite": "true",
            "x-codex-ws-stream-request-start-ms": "17",
            "turn_id": "t1",
        }
        await socket.turn(say="say hello", model="gpt-5.6-sol", client_metadata=metadata)

        [turn] = play.sim.turns
        assert turn.headers["x-openai-internal-codex-responses-lite"] == "true"
        assert turn.body["client_metadata"] == {"turn_id": "t1"}


async def test_only_responses_speak_websocket(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(
                    f"{play.replicas[0].url}/v1/chat/completions", headers=BETA
                )

        assert refused.value.status == 426
        assert await _sockets(play) == 0


async def _sockets(play: Stage) -> int:
    return int(play.replicas[0].gateway.metrics.transports.client_sockets._value.get() or 0)
