"""F3: conversations, encrypted reasoning and turn states belong to one account."""

import pytest
from support.gateways import a_chat, a_response, reading, stage


async def test_new_conversations_go_round_exactly_on_all_replicas(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", "cleo") as play:
        await play.add_replica()
        await play.add_replica()

        for n in range(18):
            replica = play.replicas[n % 3]
            await play.client.post(
                f"{replica.url}/v1/chat/completions", json=a_chat(f"say word{n}")
            )

        assert {name: play.asked(name) for name in ("ada", "ben", "cleo")} == {
            "ada": 6,
            "ben": 6,
            "cleo": 6,
        }


async def test_a_conversation_stays_on_its_account(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben", "cleo") as play:
        headers = {"x-session-id": "one-and-the-same"}
        for n in range(4):
            await play.chat(f"say word{n}", headers=headers)
            await play.until(lambda: not play.replicas[0].gateway.stores.ledger)

        assert len({turn.account for turn in play.sim.turns}) == 1


async def test_encrypted_reasoning_stays_with_its_account(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        headers = {"session-id": "s1", "originator": "codex_exec"}
        asked = {"store": False, "include": ["reasoning.encrypted_content"]}
        turns = [{"role": "user", "content": "say one"}]
        first = await play.client.post(
            "/v1/responses", json=a_response(turns, **asked), headers=headers
        )
        owner = play.sim.turns[-1].account
        history = [*turns, *first.json()["output"], {"role": "user", "content": "say two"}]
        assert any(item.get("encrypted_content") for item in history)
        play.sim.script("usage_limit_reached", account=owner, times=None)

        second = await play.client.post(
            "/v1/responses", json=a_response(history, **asked), headers=headers
        )
        assert second.status_code == 200, second.text
        moved = play.sim.turns[-1]
        assert moved.account != owner
        assert not any(item.get("encrypted_content") for item in moved.body["input"])
        await play.until(lambda: not play.replicas[0].gateway.stores.ledger)

        # What the conversation's account cannot read stays away; what it made itself goes along.
        history += [*second.json()["output"], {"role": "user", "content": "say three"}]
        third = await play.client.post(
            "/v1/responses", json=a_response(history, **asked), headers=headers
        )
        assert third.status_code == 200, third.text
        sent = [i for i in play.sim.turns[-1].body["input"] if i.get("encrypted_content")]
        made = [i for i in second.json()["output"] if i.get("encrypted_content")]
        assert [i["encrypted_content"] for i in sent] == [i["encrypted_content"] for i in made]
        assert all(turn.code != "invalid_encrypted_content" for turn in play.sim.turns)


async def test_encrypted_items_nobody_can_read_are_left_out_on_the_same_account(
    redis_url: str,
) -> None:
    async with stage(redis_url, "ada") as play:
        foreign = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAforeign"}
        history = [
            {"role": "user", "content": "say one"},
            foreign,
            {"role": "user", "content": "say two"},
        ]

        answer = await play.client.post("/v1/responses", json=a_response(history))

        assert answer.status_code == 200, answer.text
        assert [turn.code for turn in play.sim.turns] == ["invalid_encrypted_content", ""]


async def test_a_turn_state_goes_back_to_its_account_only(redis_url: str) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        headers = {"session-id": "s1", "originator": "codex_exec"}
        first = await play.client.post(
            "/v1/responses", json=a_response(stream=True), headers=headers
        )
        state = first.headers["x-codex-turn-state"]
        owner = play.sim.turns[-1].account
        await play.until(lambda: not play.replicas[0].gateway.stores.ledger)

        await play.client.post(
            "/v1/responses",
            json=a_response(stream=True),
            headers={**headers, "x-codex-turn-state": state},
        )
        assert play.sim.turns[-1].account == owner
        assert state.endswith(play.sim.turns[-1].headers["x-codex-turn-state"])

        play.sim.script("usage_limit_reached", account=owner, times=None)
        moved = await play.client.post(
            "/v1/responses",
            json=a_response(stream=True),
            headers={**headers, "x-codex-turn-state": state},
        )
        assert moved.status_code == 200
        assert play.sim.turns[-1].account != owner
        assert "x-codex-turn-state" not in play.sim.turns[-1].headers


@pytest.mark.parametrize("early", [False, True])
async def test_codex_is_told_its_turn_state_also_where_the_first_word_comes_late(
    redis_url: str, early: bool
) -> None:
    # Where it does not come late, a slow machine must not make it so.
    async with stage(redis_url, "ada", commit_patience=1 if early else 60) as play:
        if early:
            play.sim.script("silent", silence=3600)

        body = a_response(stream=True, temperature=1)
        async with reading(
            play.replicas[0], "/v1/responses", body, originator="codex_exec"
        ) as answer:
            begun = await answer.content.readany()

        assert answer.headers["x-codex-turn-state"].startswith("acc_")
        assert "openai-model" in answer.headers
        assert begun.startswith(b"event: keepalive") is early
