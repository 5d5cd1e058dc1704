"""Images, Codex' search and a key's own figures, over a real gateway and a strict backend."""

import asyncio
import base64
import time
from typing import Any

import httpx
import openai
import pytest
from support.gateways import PATIENCE_SECONDS, Stage, stage

from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.gateway.exchange import dispatch
from codex_proapi.gateway.pool.health.circuit_breakers import FAULTS
from codex_proapi.simulator.backend.unary_routes import PICTURE

PNG = base64.b64decode(PICTURE)
SEARCH = {"id": "s1", "model": "codex", "commands": {"search_query": [{"q": "msgspec"}]}}


def client(play: Stage, secret: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{play.replicas[0].url}/v1", api_key=secret, max_retries=0)


async def test_images_are_made_and_counted(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, client(play) as sdk:
        made = await sdk.images.generate(
            model="dall-e-3", prompt="a cat", n=2, size="1024x1024", user="u"
        )

        assert [image.b64_json for image in made.data or ()] == [PICTURE, PICTURE]
        [sent] = play.sim.posted("images/generations")
        assert sent.body == {
            "model": "gpt-image-2", "prompt": "a cat", "n": 2, "size": "1024x1024",
        }  # fmt: skip
        assert sent.headers["accept"] == "application/json"
        [record] = await play.records()
        assert (record.endpoint, record.sent_model) == ("images", "gpt-image-2")
        assert record.tokens.output == 200
        assert record.dropped == ("user",)


async def test_pictures_of_a_form_are_edited(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play, client(play) as sdk:
        made = await sdk.images.edit(
            model="gpt-image-2", image=[("a.png", PNG, "image/png"), ("b.png", PNG)], prompt="a hat"
        )

        assert len(made.data or ()) == 1
        [sent] = play.sim.posted("images/edits")
        urls = [picture["image_url"] for picture in sent.body["images"]]
        assert urls == [f"data:image/png;base64,{PICTURE}"] * 2


async def test_another_account_makes_the_image_where_one_fails(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play, client(play) as sdk:
        play.sim.script("usage_limit_reached", on="images")

        made = await sdk.images.generate(prompt="a cat")

        assert made.data
        assert {r.account for r in play.sim.posted("images/generations")} == {"ada", "ben"}


@pytest.mark.parametrize(
    ("on", "path", "body"),
    [
        ("images", "/v1/images/generations", {"prompt": "a cat"}),
        ("search", "/v1/alpha/search", SEARCH),
    ],
)
async def test_a_route_that_fails_for_everybody_takes_no_account_from_the_others(
    redis_url: str, on: str, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", 0.0)
    async with stage(redis_url, "ada", "ben") as play:
        play.sim.script("connection_reset", on=on, times=None)

        for _ in range(FAULTS):
            assert (await play.client.post(path, json=body)).status_code == 502

        assert len(play.sim.turns) == 0
        assert await play.cooling() == {}
        assert (await play.chat()).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("generations", {"prompt": ""}, "prompt"),
        ("generations", {"prompt": "x", "n": 11}, "n"),
        ("generations", {"prompt": "x", "response_format": "url"}, "response_format"),
        ("generations", {"prompt": "x", "stream": True}, "stream"),
        ("generations", {"prompt": "x", "size": 7}, "size"),
        ("edits", {"prompt": "x"}, "image"),
        ("edits", {"prompt": "x", "image": ["data:image/png;base64,AAAA"] * 17}, "image"),
        ("edits", {"prompt": "x", "images": [{"file_id": "f"}]}, "images.0"),
        ("edits", {"prompt": "x", "image": "data:image/png;base64,AAAA", "mask": "m"}, "mask"),
    ],
)
async def test_what_the_backend_does_not_have_is_refused_by_name(
    redis_url: str, path: str, body: Any, param: str
) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post(f"/v1/images/{path}", json=body)

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        assert not play.sim.posted(f"images/{path}")


async def test_a_search_passes_as_it_is(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        answer = await play.client.post(
            "/alpha/search", json=SEARCH, headers={"originator": "codex_exec", "session-id": "s1"}
        )

        assert answer.json()["results"][0]["url"] == "https://example.com/0"
        [sent] = play.sim.posted("alpha/search")
        assert sent.body == {**SEARCH, "model": "gpt-6.2-sol"}
        [record] = await play.records()
        assert (record.endpoint, record.status, record.tokens.total) == ("search", 200, 0)
        bad = await play.client.post("/v1/alpha/search", json={"model": "codex"})
        assert (bad.status_code, bad.json()["error"]["param"]) == (400, "commands")


async def test_a_key_reads_its_own_figures_and_is_limited_for_images_too(redis_url: str) -> None:
    async with stage(redis_url, "ada") as play:
        _, secret = await play.make_key(limits=Limits(rpm=1, tokens_day=1_000_000))
        own = {"authorization": f"Bearer {secret}"}

        async def make() -> httpx.Response:
            return await play.client.post(
                "/v1/images/generations", json={"prompt": "a cat"}, headers=own
            )

        first, second = await make(), await make()
        assert (first.status_code, second.status_code) == (200, 429)
        await play.records()

        async def usage() -> Any:
            return (await play.client.get("/v1/usage?days=2", headers=own)).json()

        deadline = time.monotonic() + PATIENCE_SECONDS
        while (told := await usage())["days"][0]["output_tokens"] != 100:
            assert time.monotonic() < deadline, told
            await asyncio.sleep(0.05)
        assert len(told["days"]) == 2
        [budget] = told["budgets"]
        assert (budget["period"], budget["used"]) == ("day", budget["limit"] - budget["remaining"])
        assert told["limits"] == {"rpm": 1, "tokens_day": 1_000_000}
        wrong = await play.client.get("/v1/usage?days=0", headers=own)
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "days")
        assert (await play.client.get("/usage", headers=own)).status_code == 404
