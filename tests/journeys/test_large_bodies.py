"""A request of very many values makes nobody wait."""

import asyncio

from support.gateways import a_chat, stage

from codex_proapi.gateway.server.body_threads import THREADS


async def test_others_are_served_while_a_large_body_is_worked_on(redis_url: str) -> None:
    many = [{"role": "user", "content": f"word {n}"} for n in range(10_000)]
    large = {**a_chat(), "messages": [*many, {"role": "user", "content": "say large"}]}
    async with stage(redis_url, "ada") as play:
        turns = play.replicas[0].gateway.services.bodies.turns
        others = [turns.of(f"other {n}") for n in range(THREADS)]
        for other in others:
            await other.__aenter__()
        waiting = asyncio.ensure_future(play.client.post("/v1/chat/completions", json=large))
        counting = asyncio.ensure_future(
            play.client.post("/v1/messages/count_tokens", json={**large, "max_tokens": 1})
        )
        await play.until(lambda: len(play.replicas[0].gateway.in_flight) == 1)

        small = await play.chat("say small")

        assert small.json()["choices"][0]["message"]["content"] == "small"
        assert not waiting.done()
        assert not counting.done()
        for other in others:
            await other.__aexit__(None, None, None)
        answer = await waiting
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "large"
        assert (await counting).json()["input_tokens"] > len(many)
