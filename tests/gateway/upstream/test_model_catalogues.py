import asyncio
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.account_kinds import BADGE, with_badges
from support.clock import Clock
from support.leases import an_account

from codex_proapi.commons.redis import keyspace
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.upstream import model_catalogues
from codex_proapi.gateway.upstream.account_api import ApiResponse
from codex_proapi.gateway.upstream.catalogue_rows import MOST_BYTES, MOST_ROWS, CatalogueRows
from codex_proapi.gateway.upstream.model_catalogues import (
    FRESH_SECONDS,
    ModelCatalogues,
    Names,
    _distinct,
)


def a_list(*slugs: Any, **fields: Any) -> Any:
    models = [
        {"slug": slug, "visibility": "list", "priority": n, **fields}
        for n, slug in enumerate(slugs)
    ]
    return msgspec.json.encode({"models": models})


class View:
    def __init__(self, *ids: Any, **fields: Any) -> None:
        self.accounts = {account_id: an_account(account_id, **fields) for account_id in ids}
        self.version = 1


class Calls:
    """Answers with the list a test gives each account."""

    def __init__(self) -> None:
        self.lists: dict[Any, Any] = {}
        self.asked: list[Any] = []

    async def models(self, account: Any) -> Any:
        self.asked.append(account.id)
        return self.lists.get(account.id)


class Scene:
    def __init__(self, redis: Any, *ids: Any) -> None:
        self.redis = redis
        self.clock, self.calls, self.view = Clock(), Calls(), View(*ids)
        self.catalogues = self.replica()

    def replica(self) -> Any:
        parts: dict[str, Any] = {"calls": self.calls, "view": self.view}
        return ModelCatalogues(
            self.redis, clock=self.clock, metrics=Metrics(CollectorRegistry()), **parts
        )

    async def release(self) -> None:
        """The time in which others leave a list to whoever fetches it is over."""
        for account_id in self.view.accounts:
            await self.redis.delete(keyspace.catalogue_poll(account_id))


async def until_names(scene: Any, *names: str) -> None:
    """Wait until just these models are known."""
    while set(scene.catalogues.current.names) != set(names):
        await asyncio.sleep(0.005)


@pytest.fixture
def scene(redis_client: Redis) -> Any:
    return Scene(redis_client, "acc_a", "acc_b")


async def test_until_a_list_is_known_the_built_in_one_serves_and_everybody_lists_everything(
    scene: Any,
) -> None:
    assert scene.catalogues.current.resolve("gpt-5.5").model.slug == "gpt-5.5"
    assert scene.catalogues.lists("acc_a", "whatever")


async def test_lists_are_fetched_united_and_shared_with_other_replicas(scene: Any) -> None:
    scene.calls.lists = {
        "acc_a": ApiResponse(a_list("gpt-9", "gpt-8"), 'W/"1"'),
        "acc_b": ApiResponse(a_list("gpt-8"), 'W/"2"'),
    }
    other = scene.replica()

    await scene.catalogues.fetch_stale()
    await other.load()

    for catalogues in (scene.catalogues, other):
        assert set(catalogues.current.names) == {"gpt-9", "gpt-8"}
        assert catalogues.lists("acc_a", "gpt-9")
        assert not catalogues.lists("acc_b", "gpt-9")
    assert "2 accounts" in repr(other)


async def test_one_replica_fetches_and_only_what_is_old(scene: Any) -> None:
    scene.calls.lists = {
        "acc_a": ApiResponse(a_list("gpt-9")),
        "acc_b": ApiResponse(a_list("gpt-9")),
    }

    await asyncio.gather(scene.catalogues.fetch_stale(), scene.replica().fetch_stale())
    assert sorted(scene.calls.asked) == ["acc_a", "acc_b"]
    await scene.release()
    await scene.catalogues.load()
    await scene.catalogues.fetch_stale()
    assert len(scene.calls.asked) == 2

    scene.clock.pass_(FRESH_SECONDS + 1)
    await scene.catalogues.fetch_stale()
    assert len(scene.calls.asked) == 4


async def test_a_list_whose_etag_has_changed_is_fetched_at_once(scene: Any) -> None:
    scene.calls.lists = {
        "acc_a": ApiResponse(a_list("gpt-8"), "old"),
        "acc_b": ApiResponse(a_list("gpt-8"), "old"),
    }
    await scene.catalogues.fetch_stale()
    await scene.release()
    scene.calls.lists["acc_a"] = ApiResponse(a_list("gpt-9"), "new")

    scene.catalogues.observe_etag("acc_a", "old")
    await scene.catalogues.fetch_stale()
    assert len(scene.calls.asked) == 2
    scene.catalogues.observe_etag("acc_a", "new")
    scene.catalogues.observe_etag("acc_unknown", "new")
    await scene.catalogues.fetch_stale()

    assert scene.calls.asked[2:] == ["acc_a"]
    assert set(scene.catalogues.current.names) == {"gpt-9", "gpt-8"}


async def test_a_paused_account_is_not_asked(redis_client: Redis) -> None:
    scene = Scene(redis_client)
    scene.view = View("acc_a", paused=True)
    scene.catalogues = scene.replica()

    await scene.catalogues.fetch_stale()

    assert scene.calls.asked == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"models":7}', b"\xff"])
async def test_a_list_that_cannot_be_read_changes_nothing(scene: Any, body: Any) -> None:
    scene.calls.lists = {"acc_a": ApiResponse(body)}

    await scene.catalogues.fetch_stale()

    assert scene.catalogues.lists("acc_a", "whatever")
    assert await scene.redis.get(keyspace.catalogue("acc_a")) is None


@pytest.mark.parametrize("kept", ["{}", "no json", '{"at":1,"etag":"","body":{"models":7}}'])
async def test_what_another_version_has_kept_is_passed_over(scene: Any, kept: Any) -> None:
    await scene.redis.set(keyspace.catalogue("acc_a"), kept)

    await scene.catalogues.load()

    assert scene.catalogues.lists("acc_a", "whatever")


async def test_long_instructions_are_stored_once_and_codex_gets_them_from_any_replica(
    scene: Any,
) -> None:
    body = a_list("gpt-9", base_instructions="x" * 5000, model_messages={"a": "b"}, shell_type="x")
    scene.calls.lists = {"acc_a": ApiResponse(body), "acc_b": ApiResponse(body)}
    other = scene.replica()

    await scene.catalogues.fetch_stale()
    await other.load()

    assert len(await scene.redis.get(keyspace.catalogue("acc_a"))) < 500
    assert await scene.redis.hlen(keyspace.catalogue_rows()) == 1
    for catalogues in (scene.catalogues, other):
        row, alias = await catalogues.codex_rows()
        assert [row] == msgspec.json.decode(body)["models"]
        assert alias == {**row, "slug": "codex", "display_name": "codex"}
        assert catalogues.codex_etag() == other.codex_etag() != other.codex_etag(("gpt-8",))


@pytest.mark.parametrize("packed", ["", "no base 85 \x00", "00000"])
async def test_a_row_without_its_texts_is_left_out(scene: Any, packed: str) -> None:
    body = a_list("gpt-9", base_instructions="x" * 5000)
    scene.calls.lists = {"acc_a": ApiResponse(body)}
    await scene.catalogues.fetch_stale()
    [digest] = await scene.redis.hkeys(keyspace.catalogue_rows())
    await scene.redis.hset(keyspace.catalogue_rows(), digest, packed)

    assert await scene.catalogues.codex_rows() == []


async def test_rows_in_redis_are_bounded(scene: Any) -> None:
    rows = CatalogueRows(scene.redis)
    await rows.put({f"old{n}": b"{}" for n in range(MOST_ROWS)})

    await rows.put({"new": b'{"slug":"gpt-9"}', "huge": b" " * (MOST_BYTES + 1)})

    assert await scene.redis.hkeys(keyspace.catalogue_rows()) == ["new"]
    assert await rows.find(["new", "huge"]) == {"new": {"slug": "gpt-9"}}


async def test_without_a_list_codex_keeps_its_own(scene: Any) -> None:
    assert await scene.catalogues.codex_rows() == []


async def test_a_model_that_wants_a_newer_client_is_known(scene: Any) -> None:
    assert scene.catalogues.refuses_version("gpt-6.2-sol", "0.165.9")
    assert not scene.catalogues.refuses_version("gpt-6.2-sol", "0.171.0")
    assert not scene.catalogues.refuses_version("nobody's", "0.1.0")


async def test_the_owners_words_take_effect_while_running(scene: Any) -> None:
    scene.calls.lists = {"acc_a": ApiResponse(a_list("gpt-9", "gpt-8", "gpt-7"))}
    await scene.catalogues.fetch_stale()

    scene.catalogues.configure(
        Names(default_model="gpt-7", aliases={"mine": "gpt-8"}, disabled=("gpt-9",))
    )

    current = scene.catalogues.current
    assert current.names == ("gpt-8", "gpt-7")
    assert current.resolve("mine").model.slug == "gpt-8"
    assert current.resolve(None).model.slug == "gpt-7"
    unchanged = scene.catalogues.current
    scene.catalogues.configure(
        Names(default_model="gpt-7", aliases={"mine": "gpt-8"}, disabled=("gpt-9",))
    )
    assert scene.catalogues.current is unchanged


async def test_it_looks_at_once_when_an_etag_changes_and_goes_on_without_redis(scene: Any) -> None:
    scene.calls.lists = {"acc_a": ApiResponse(a_list("gpt-8"), "old")}
    running = asyncio.ensure_future(scene.catalogues.run())
    while "acc_a" not in scene.catalogues._kept:
        await asyncio.sleep(0.005)
    await scene.release()
    scene.calls.lists = {"acc_a": ApiResponse(a_list("gpt-9"), "new")}

    scene.catalogues.observe_etag("acc_a", "new")
    await until_names(scene, "gpt-9")

    running.cancel()


async def test_what_is_noticed_while_it_fetches_is_fetched_after_it(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_catalogues, "CHECK_SECONDS", 3600)
    scene.calls.lists = {"acc_a": ApiResponse(a_list("gpt-8"), "old")}
    fetching, go_on = asyncio.Event(), asyncio.Event()
    models = scene.calls.models

    async def slow_for_the_last(account: Any) -> Any:
        if account.id == "acc_b":
            fetching.set()
            await go_on.wait()
        return await models(account)

    scene.calls.models = slow_for_the_last
    running = asyncio.ensure_future(scene.catalogues.run())
    await fetching.wait()
    scene.calls.lists = {"acc_a": ApiResponse(a_list("gpt-9"), "new")}
    await scene.release()

    scene.catalogues.observe_etag("acc_a", "new")
    go_on.set()
    await until_names(scene, "gpt-9")

    running.cancel()


async def test_the_list_of_an_account_that_comes_is_fetched_at_once(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_catalogues, "CHECK_SECONDS", 3600)
    scene.calls.lists = {name: ApiResponse(a_list("gpt-8")) for name in ("acc_a", "acc_b")}
    running = asyncio.ensure_future(scene.catalogues.run())
    await until_names(scene, "gpt-8")
    scene.catalogues.observe_accounts()
    scene.view.accounts["acc_c"] = an_account("acc_c")
    scene.view.version += 1
    scene.calls.lists["acc_c"] = ApiResponse(a_list("gpt-9"))

    scene.catalogues.observe_accounts()
    await until_names(scene, "gpt-8", "gpt-9")

    running.cancel()


@pytest.mark.parametrize("kind", [BADGE, "bedrock"])
async def test_accounts_without_a_list_are_not_asked_and_list_everything(
    scene: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_badges(monkeypatch)
    scene.view.accounts["acc_a"] = an_account("acc_a", kind=kind)

    await scene.catalogues.fetch_stale()

    assert scene.calls.asked == ["acc_b"]
    assert scene.catalogues.lists("acc_a", "whatever")


def test_lists_that_repeat_are_decoded_once_or_twice_and_the_last_still_counts() -> None:
    a, b, c = b"a", b"b", b"c"

    assert _distinct([]) == []
    assert _distinct([a] * 1000) == [a, a]
    assert _distinct([a, b, a, c, b, a]) == [a, b, c, b, a]
