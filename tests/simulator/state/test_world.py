from typing import Any

import pytest
from support.requests_upstream import a_turn

from codex_proapi.simulator.state.accounts import AUTH_CLAIM, access_claims
from codex_proapi.simulator.state.received_requests import ReceivedRequest
from codex_proapi.simulator.state.world import World


def usage(world: Any, prompt: Any, key: Any) -> Any:
    body = a_turn(prompt, prompt_cache_key=key)
    return world.count_tokens(body, world.account("ada"), said=40, thought=20)


def test_an_account_is_found_by_name_claim_and_key() -> None:
    world = World()
    ada = world.account("ada")
    claims = access_claims(ada, issued_at=0, expires_in=1, token_id="1-x")

    assert world.account_of(claims[AUTH_CLAIM]) is ada
    assert world.account_by_key(ada.access_key) is ada
    assert world.account_of({"chatgpt_account_id": ada.workspace}) is None
    with pytest.raises(LookupError, match="nobody"):
        world.account("nobody")


def test_a_prompt_is_cached_the_second_time_in_its_lane() -> None:
    world = World()
    long = "word " * 2000

    first, second = usage(world, long, "a"), usage(world, long, "a")

    assert first["input_tokens_details"]["cached_tokens"] == 0
    assert second["input_tokens_details"]["cached_tokens"] > 2000
    assert second["input_tokens_details"]["cached_tokens"] % 128 == 0
    assert usage(world, long, "b")["input_tokens_details"]["cached_tokens"] == 0
    assert usage(world, "short", "c") == usage(world, "short", "c")


def test_the_kinds_of_tokens_add_up() -> None:
    counted = usage(World(), "hi", "a")

    assert counted["output_tokens_details"]["reasoning_tokens"] == 5
    assert counted["output_tokens"] == 16
    assert counted["total_tokens"] == counted["input_tokens"] + counted["output_tokens"]


def test_the_etag_follows_the_catalogue() -> None:
    world = World()
    before = world.models_etag(world.account("ada"))

    world.catalogue_version += 1

    assert world.models_etag(world.account("ada")) != before
    assert world.models_etag(world.account("ben")) != world.models_etag(world.account("ada"))


def test_the_record_forgets_its_older_half() -> None:
    world = World(record_limit=4)

    for number in range(6):
        world.note(ReceivedRequest(method="GET", path=str(number), headers={}))

    assert [arrival.path for arrival in world.requests] == ["2", "3", "4", "5"]
