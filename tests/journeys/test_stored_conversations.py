"""A conversation is stored about once, however many turns it has and however its client continues it."""

import base64
import os
from typing import Any

import pytest
from redis.asyncio import Redis
from support.gateways import Stage, a_response, stage

from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.server.body_budget import BodyHold

SCREENSHOT = base64.b64encode(os.urandom(600_000)).decode()
"""A picture of 0.8 MB as it is sent: large beside everything else that is said."""
TURNS = 50
SENT = 5
"""Turns of a client that sends its whole history each time; each costs the test megabytes."""


def shown(text: str) -> list[Any]:
    """The first turn: a picture and what to say of it."""
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{SCREENSHOT}"}
    return [{"role": "user", "content": [image, {"type": "input_text", "text": text}]}]


async def stored_bytes(redis: Redis) -> int:
    return int(await redis.hget(keyspace.stored_bytes(), "all") or 0)


async def answered(play: Stage, body: Any) -> Any:
    answer = await play.client.post("/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_fifty_turns_by_id_with_one_screenshot_cost_its_size_once(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        last = await answered(play, a_response(shown("say turn 0")))
        once = await stored_bytes(play.redis)
        assert len(SCREENSHOT) < once < 1.3 * len(SCREENSHOT)

        for turn in range(1, TURNS):
            body = a_response(f"say turn {turn}", previous_response_id=last["id"])
            last = await answered(play, body)

        assert await stored_bytes(play.redis) < once + TURNS * 6000
        sent = play.sim.turns[-1].body["input"]
        asked = [item for item in sent if item.get("role") == "user"]
        assert len(asked) == TURNS
        assert SCREENSHOT in asked[0]["content"][0]["image_url"]


@pytest.mark.parametrize("second_replica", [False, True])
async def test_a_client_that_sends_its_whole_history_costs_no_more(
    redis_url: str, *, second_replica: bool
) -> None:
    async with stage(redis_url, "ada") as play:
        urls = [play.replicas[0].url]
        if second_replica:
            urls.append((await play.add_replica()).url)
        history = shown("say turn 0")
        once = 0
        for turn in range(SENT):
            if turn:
                history.append({"role": "user", "content": f"say turn {turn}"})
            url = urls[turn % len(urls)]
            answer = await play.client.post(f"{url}/v1/responses", json=a_response(history))
            assert answer.status_code == 200, answer.text
            history += answer.json()["output"]
            once = once or await stored_bytes(play.redis)

        assert await stored_bytes(play.redis) < once + SENT * 6000
        last = await answered(
            play, a_response("say more", previous_response_id=answer.json()["id"])
        )
        assert last["output"][-1]["content"][0]["text"] == "more"
        assert SCREENSHOT in str(play.sim.turns[-1].body["input"])


async def test_a_stored_conversation_counts_towards_the_memory_of_bodies(redis_url: str) -> None:
    async with stage(redis_url, "ada", body_memory_mib=128) as play:
        bodies = play.replicas[0].gateway.services.bodies
        last = await answered(play, a_response(shown("say one")))
        more = a_response("say two", previous_response_id=last["id"])

        others = BodyHold(bodies)
        others.take((128 << 20) - len(SCREENSHOT))
        refused = await play.client.post("/v1/responses", json=more)
        others.release()

        assert refused.status_code == 503, refused.text
        assert refused.json()["error"]["code"] == "server_overloaded"
        assert (await answered(play, more))["output"][-1]["content"][0]["text"] == "two"
        await play.until(lambda: bodies.held == 0)
