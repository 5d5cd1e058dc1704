"""What a key's responses were can be shown, listed and deleted, by the official SDK and by nobody else."""

from typing import Any

import openai
import pytest
from support.gateways import Stage, a_response, stage

from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.redis import keyspace


def client(play: Stage, secret: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{play.replicas[0].url}/v1", api_key=secret, max_retries=0)


async def conversation(play: Stage, secret: str, turns: int = 3) -> list[dict[str, Any]]:
    """Turns that continue each other; gives the answers."""
    said: list[dict[str, Any]] = []
    for turn in range(turns):
        more = {"previous_response_id": said[-1]["id"]} if said else {}
        answer = await play.client.post(
            "/v1/responses",
            json=a_response(f"say turn {turn}", **more),
            headers={"authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == 200, answer.text
        said.append(answer.json())
    return said


async def test_the_sdk_shows_lists_and_deletes_a_response(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key()
        *_, last = await conversation(play, secret)
        asked = len(play.sim.turns)
        async with client(play, secret) as sdk:
            shown = await sdk.responses.retrieve(last["id"])
            assert shown.id == last["id"]
            assert shown.output_text == "turn 2"

            listed: list[Any] = [
                item async for item in sdk.responses.input_items.list(last["id"], limit=2)
            ]
            texts = [item.content[0].text for item in listed if item.type == "message"]
            assert texts == ["say turn 2", "turn 1", "say turn 1", "turn 0", "say turn 0"]

            await sdk.responses.delete(last["id"])
            with pytest.raises(openai.NotFoundError):
                await sdk.responses.retrieve(last["id"])
            with pytest.raises(openai.NotFoundError):
                await sdk.responses.delete(last["id"])
        assert len(play.sim.turns) == asked
        assert len(await play.records(3)) == 3


async def test_another_key_finds_nothing(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        _, secret = await play.make_key()
        _, other = await play.make_key()
        [said] = await conversation(play, secret, turns=1)
        path = f"/v1/responses/{said['id']}"
        theirs = {"authorization": f"Bearer {other}"}

        for method, where in (("GET", path), ("GET", f"{path}/input_items"), ("DELETE", path)):
            answer = await play.client.request(method, where, headers=theirs)
            assert answer.status_code == 404
            assert answer.json()["error"] == {
                "message": f"Response with id '{said['id']}' not found.",
                "type": "invalid_request_error",
                "param": None,
                "code": "response_not_found",
            }
            assert (await play.client.request(method, where)).status_code == 401
        mine = await play.client.get(path, headers={"authorization": f"Bearer {secret}"})
        assert mine.json() == said
        assert mine.headers["cache-control"] == "no-store"


async def test_a_key_of_another_type_is_the_stores_fault(redis_url: str) -> None:
    async with stage(redis_url, "ada", api_key_policy=KeyPolicy.REQUIRED) as play:
        made, secret = await play.make_key()
        [said] = await conversation(play, secret, turns=1)
        await play.redis.set(keyspace.stored(made.id), "no hash")

        answer = await play.client.post(
            "/v1/responses",
            json=a_response("say on", previous_response_id=said["id"]),
            headers={"authorization": f"Bearer {secret}"},
        )

        assert answer.status_code == 503
        error = answer.json()["error"]
        assert error["code"] == "store_unavailable"
        assert error["message"] == "The store cannot be used at the moment. Please try again."


async def test_a_list_has_pages_in_either_order(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        *_, last = await conversation(play, "any")
        path = f"/v1/responses/{last['id']}/input_items"

        async def page(**query: Any) -> Any:
            return (await play.client.get(path, params=query)).json()

        whole = await page(order="asc")
        ids = [item["id"] for item in whole["data"]]
        assert (len(set(ids)), whole["has_more"]) == (len(ids), False)
        assert [whole["first_id"], whole["last_id"]] == [ids[0], ids[-1]]
        assert [item["id"] for item in (await page())["data"]] == ids[::-1]
        first = await page(order="asc", limit=2)
        assert first["has_more"] is True
        rest = await page(order="asc", after=first["last_id"])
        assert [item["id"] for item in first["data"] + rest["data"]] == ids
        beyond = await page(order="asc", after=ids[-1])
        assert beyond == {
            "object": "list",
            "data": [],
            "first_id": None,
            "last_id": None,
            "has_more": False,
        }


@pytest.mark.parametrize(
    ("path", "param"),
    [
        *((f"/input_items?limit={limit}", "limit") for limit in ("0", "101", "-1", "x", "²")),
        ("/input_items?order=down", "order"),
        ("/input_items?after=msg_nobody", "after"),
        ("?stream=true", "stream"),
    ],
)
async def test_what_cannot_be_is_named(redis_url: str, path: str, param: str) -> None:
    async with stage(redis_url, "ada") as play:
        [said] = await conversation(play, "any", turns=1)

        answer = await play.client.get(f"/v1/responses/{said['id']}{path}")

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
