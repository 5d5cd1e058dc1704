from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace
from codex_proapi.console.accounts.models_seen import SeenModel, load_models, unite


def _model(slug: str, **facts: Any) -> dict[str, Any]:
    return {"slug": slug, "visibility": "list", **facts}


def test_one_entry_for_each_model_with_the_accounts_that_have_it() -> None:
    full = _model(
        "gpt-6",
        display_name="GPT-6",
        context_window=272_000,
        priority=2,
        default_reasoning_level="medium",
        supported_reasoning_levels=[{"effort": "low"}, {"effort": "medium"}, {"odd": 1}],
    )

    assert unite({"acc_1": [full], "acc_2": [full, _model("gpt-5", priority=1)]}) == [
        SeenModel(
            id="gpt-5",
            name="",
            context=0,
            efforts=(),
            default_effort="",
            priority=1,
            accounts=("acc_2",),
        ),
        SeenModel(
            id="gpt-6",
            name="GPT-6",
            context=272_000,
            efforts=("low", "medium"),
            default_effort="medium",
            priority=2,
            accounts=("acc_1", "acc_2"),
        ),
    ]


def test_hidden_models_and_what_is_no_model_are_left_out() -> None:
    hidden = {"slug": "secret", "visibility": "hide"}

    assert unite({"acc_1": [hidden, {"slug": 7}, {"slug": ""}, {}]}) == []


def test_facts_of_another_kind_count_as_unknown() -> None:
    (model,) = unite(
        {"acc_1": [_model("gpt-6", context_window="big", priority=True, efforts=["low", 3])]}
    )

    assert (model.context, model.priority, model.efforts) == (0, 1000, ("low",))


async def test_the_list_is_found_in_what_the_gateway_keeps(redis_client: Redis) -> None:
    kept = {"at": 1.0, "etag": "x", "body": {"models": [_model("gpt-6")]}}
    await redis_client.set(keyspace.catalogue("acc_1"), msgspec.json.encode(kept))

    found = await load_models(redis_client, ["acc_1", "acc_2"])

    assert [(model.id, model.accounts) for model in found] == [("gpt-6", ("acc_1",))]


@pytest.mark.parametrize(
    "kept", [b"not json", b"3", b'{"body": 3}', b'{"body": {"models": 3}}', b'{"body": null}']
)
async def test_what_cannot_be_read_is_no_model(redis_client: Redis, kept: bytes) -> None:
    await redis_client.set(keyspace.catalogue("acc_1"), kept)

    assert await load_models(redis_client, ["acc_1"]) == []


async def test_no_account_has_no_models(redis_client: Redis) -> None:
    assert await load_models(redis_client, []) == []
