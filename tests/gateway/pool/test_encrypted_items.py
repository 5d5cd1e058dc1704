from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from support.leases import a_lease, a_request

from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.gateway.formats.codex.requests import account_mark
from codex_proapi.gateway.pool.encrypted_items import EncryptedItems


class Disowned:
    """A ledger that only remembers."""

    def __init__(self) -> None:
        self.digests: dict[Any, Any] = {}

    def mark_unreadable(self, fingerprint: Any, digests: Any) -> None:
        self.digests[fingerprint] = digests


SAID = {"type": "message", "role": "user", "content": []}


def sealed(secret: Any) -> Any:
    return {"type": "reasoning", "summary": [], "encrypted_content": secret}


def a_scene(redis: Any) -> Any:
    ledger = cast("Any", Disowned())
    return EncryptedItems(redis, ledger), ledger


async def test_its_own_account_gets_the_whole_conversation(redis_client: Redis) -> None:
    ciphertexts, _ = a_scene(redis_client)
    request = a_request(SAID, sealed("one"))

    assert await ciphertexts.readable(request, a_lease(is_affine=True), "f1") is request


async def test_another_account_gets_nothing_it_cannot_read(redis_client: Redis) -> None:
    ciphertexts, _ = a_scene(redis_client)

    sent = await ciphertexts.readable(a_request(SAID, sealed("one")), a_lease(), "f1")

    assert sent.input == (SAID,)


async def test_a_conversation_without_secrets_needs_no_look(redis_client: Redis) -> None:
    ciphertexts, _ = a_scene(redis_client)
    request = a_request(SAID)

    assert await ciphertexts.readable(request, a_lease(), "f1") is request


async def test_the_only_account_there_is_is_asked_with_everything(redis_client: Redis) -> None:
    ciphertexts, _ = a_scene(redis_client)
    request = a_request(SAID, sealed("one"))

    assert await ciphertexts.readable(request, a_lease(is_affine=True, sole=True), "f1") is request
    assert await ciphertexts.readable(request, a_lease(is_affine=True), "") is request


async def test_after_a_move_only_what_the_new_account_made_goes_along(redis_client: Redis) -> None:
    ciphertexts, ledger = a_scene(redis_client)
    first = a_request(SAID, sealed("of the first"))
    moved = await ciphertexts.readable(first, a_lease("acc_b"), "f1")
    ciphertexts.moved(first, moved, "f1")
    await redis_client.sadd(keyspace.foreign("f1"), *ledger.digests["f1"])

    later = a_request(SAID, sealed("of the first"), SAID, sealed("of the second"), sealed(""))
    sent = await ciphertexts.readable(later, a_lease("acc_b", is_affine=True), "f1")

    assert sent.input == (SAID, SAID, sealed("of the second"), sealed(""))


def marked(*items: Any, **accounts: str) -> Any:
    marks = {secret: account_mark(account) for secret, account in accounts.items()}
    return msgspec.structs.replace(a_request(*items), encrypted_for=marks)


async def test_items_that_the_client_marks_go_to_their_own_account_only(
    redis_client: Redis,
) -> None:
    ciphertexts, _ = a_scene(redis_client)
    request = marked(sealed("one"), SAID, sealed("two"), sealed("?"), one="acc_a", two="acc_b")

    for affine, readable in (
        (True, (SAID, sealed("two"), sealed("?"))),
        (False, (SAID, sealed("two"))),
    ):
        sent = await ciphertexts.readable(request, a_lease("acc_b", is_affine=affine), "f1")
        assert sent.input == readable


async def test_an_account_that_reads_all_marked_items_gets_them_though_nobody_knows_its_conversation(
    redis_client: Redis,
) -> None:
    ciphertexts, _ = a_scene(redis_client)
    request = marked(SAID, sealed("one"), one="acc_a")

    assert await ciphertexts.readable(request, a_lease("acc_a"), "f1") is request


def test_what_stays_the_same_is_no_move(redis_client: Redis) -> None:
    ciphertexts, ledger = a_scene(redis_client)
    request = a_request(SAID, sealed("one"))

    ciphertexts.moved(request, request, "f1")
    ciphertexts.moved(request, request.without_encrypted(), "")
    ciphertexts.moved(request, a_request(SAID, sealed("one")), "f1")
    ciphertexts.moved(a_request(SAID, SAID), a_request(SAID), "f1")

    assert ledger.digests == {}


async def test_where_nobody_can_tell_what_is_foreign_its_own_account_gets_everything() -> None:
    nowhere = connect("unix:///nowhere")
    ciphertexts, _ = a_scene(nowhere)
    request = a_request(SAID, sealed("one"))

    assert await ciphertexts.readable(request, a_lease(is_affine=True), "f1") is request
    assert (await ciphertexts.readable(request, a_lease(), "f1")).input == (SAID,)

    await nowhere.aclose()
