import hashlib
from typing import Any

import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.gateways import KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.commons.cluster.live_settings import KeyPolicy
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.gateway.auth.authenticator import (
    Authenticator,
    check_model,
)
from codex_proapi.gateway.auth.caller import Caller, secret_of
from codex_proapi.gateway.errors import BadKey, StoreUnreachable, UnknownModel


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({b"authorization": b"Bearer cpa-1"}, "cpa-1"),
        ({b"authorization": b"bearer cpa-1"}, "cpa-1"),
        ({b"authorization": b"  BEARER   cpa-1\n "}, "cpa-1"),
        ({b"authorization": b"cpa-1"}, "cpa-1"),
        ({b"x-api-key": b" cpa-1 "}, "cpa-1"),
        ({b"api-key": b"cpa-1"}, "cpa-1"),
        ({b"authorization": b"Bearer ", b"x-api-key": b"cpa-1"}, "cpa-1"),
        ({b"authorization": b"", b"api-key": b"cpa-1"}, "cpa-1"),
        ({b"authorization": b"Bearer cpa-1", b"x-api-key": b"cpa-2"}, "cpa-1"),
        ({}, ""),
    ],
)
def test_a_key_is_found_in_every_spelling(headers: Any, secret: Any) -> None:
    assert secret_of(headers) == secret


class Counted(KeyStore):
    """A store that counts how often it is asked."""

    asked = 0
    away = False

    async def lookup(self, secret: Any) -> Any:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return await super().lookup(secret)


@pytest.fixture
def store(redis_client: Redis) -> Any:
    return Counted(redis_client, CredentialCipher((KEY,)))


def an_authenticator(store: Any, policy: Any = KeyPolicy.REQUIRED, clock: Any = None) -> Any:
    return Authenticator(store, policy=policy, clock=clock or Clock())


def bearer(secret: Any) -> Any:
    return Caller.of({b"authorization": f"Bearer {secret}".encode()})


async def test_a_key_is_looked_up_once(store: Any) -> None:
    key, secret = await store.create("mine")
    authenticator = an_authenticator(store)

    admitted = [await authenticator.authenticate(bearer(secret)) for _ in range(3)]

    assert {a.key.id for a in admitted if a.key} == {key.id}
    assert store.asked == 1
    assert secret not in repr(admitted[0])


async def test_a_key_that_was_found_is_known_without_redis_until_keys_change_or_it_expires(
    store: Any,
) -> None:
    clock = Clock()
    authenticator = an_authenticator(store, clock=clock)
    _, secret = await store.create("mine", expires_at=int(clock()) + 60)
    caller = bearer(secret)
    assert authenticator.known(caller) is None
    assert authenticator.known(Caller()) is None

    admitted = await authenticator.authenticate(caller)
    assert authenticator.known(caller) == admitted
    assert authenticator.known(bearer("wrong")) is None
    clock.pass_(60)
    assert authenticator.known(caller) is None
    clock.pass_(-1)
    assert authenticator.known(caller) == admitted
    authenticator.see(admitted.version + 1)
    assert authenticator.known(caller) is None


async def test_a_wrong_key_is_refused_and_not_looked_up_again_for_a_while(store: Any) -> None:
    clock = Clock()
    authenticator = an_authenticator(store, clock=clock)

    for _ in range(6):
        with pytest.raises(BadKey, match="Incorrect"):
            await authenticator.authenticate(bearer("wrong"))
    assert store.asked == 1

    clock.pass_(6)
    with pytest.raises(BadKey):
        await authenticator.authenticate(bearer("wrong"))
    assert store.asked == 2


async def test_no_key_and_a_monster_are_refused_without_a_look(store: Any) -> None:
    authenticator = an_authenticator(store)

    with pytest.raises(BadKey, match="didn't provide"):
        await authenticator.authenticate(Caller())
    with pytest.raises(BadKey):
        await authenticator.authenticate(bearer("x" * 10_000))
    assert store.asked == 0


@pytest.mark.parametrize("facts", [{"revoked": True}, {"expires_at": 1_794_999_999}])
async def test_a_key_whose_time_is_over_is_refused(store: Any, facts: Any) -> None:
    _, secret = await store.create("mine", **facts)

    with pytest.raises(BadKey, match="revoked or has expired"):
        await an_authenticator(store).authenticate(bearer(secret))


async def test_a_change_of_keys_is_seen_when_the_survey_tells_of_it(store: Any) -> None:
    key, secret = await store.create("mine")
    authenticator = an_authenticator(store)
    admitted = await authenticator.authenticate(bearer(secret))
    assert await authenticator.confirm(admitted, await store.version()) is admitted

    await store.revoke(key.id)

    with pytest.raises(BadKey):
        await authenticator.confirm(admitted, await store.version())


async def test_a_key_that_was_given_more_time_comes_in_at_once(store: Any) -> None:
    key, secret = await store.create("mine", expires_at=1)
    authenticator = an_authenticator(store)
    with pytest.raises(BadKey):
        await authenticator.authenticate(bearer(secret))

    await store.patch(key.id, expires_at=0)

    assert (await authenticator.authenticate(bearer(secret))).key is not None


async def test_an_authentication_is_made_again_by_the_keys_as_they_are_now(store: Any) -> None:
    key, secret = await store.create("mine")
    authenticator = an_authenticator(store)
    admitted = await authenticator.authenticate(bearer(secret))
    assert (await authenticator.again(admitted)).is_same_as(admitted)

    await store.patch(key.id, last_used_at=7)
    assert (await authenticator.again(admitted)).is_same_as(admitted)

    await store.patch(key.id, allowed_models=("gpt-5.4",))
    again = await authenticator.again(admitted)
    assert not again.is_same_as(admitted)


def test_a_key_may_use_the_models_it_names_however_they_are_written() -> None:
    check_model(None, "gpt-5.5")
    check_model(ApiKey(id="key_1", name="mine"), "gpt-5.5")
    key = ApiKey(id="key_1", name="mine", allowed_models=("GPT-5.5",))
    check_model(key, "gpt-5.5")
    with pytest.raises(UnknownModel, match="It may use: GPT-5"):
        check_model(key, "gpt-5.4")


async def test_openly_anybody_comes_in_until_the_first_key_is_made(store: Any) -> None:
    authenticator = an_authenticator(store, KeyPolicy.OPEN)
    nobody, anybody = (
        await authenticator.authenticate(Caller()),
        await authenticator.authenticate(bearer("anything")),
    )
    assert (nobody.key, anybody.key) == (None, None)
    assert repr(nobody) == "<Authenticated openly>"

    _, secret = await store.create("mine")

    for admitted in (nobody, anybody):
        with pytest.raises(BadKey):
            await authenticator.confirm(admitted, await store.version())
    assert (await authenticator.authenticate(bearer(secret))).key is not None


async def test_without_redis_nobody_new_comes_in(store: Any) -> None:
    _, secret = await store.create("mine")
    authenticator = an_authenticator(store)
    store.away = True

    with pytest.raises(StoreUnreachable):
        await authenticator.authenticate(bearer(secret))


async def test_without_redis_those_come_in_who_were_seen_before_until_all_is_forgotten(
    store: Any,
) -> None:
    _, secret = await store.create("mine")
    authenticator = an_authenticator(store)
    await authenticator.authenticate(bearer(secret))
    store.away = True
    assert (await authenticator.authenticate(bearer(secret))).version == authenticator.version == 1

    authenticator.forget()

    with pytest.raises(StoreUnreachable):
        await authenticator.authenticate(bearer(secret))


async def test_without_redis_an_open_door_stays_open_if_it_was(store: Any) -> None:
    authenticator = an_authenticator(store, KeyPolicy.OPEN)
    store.away = True
    with pytest.raises(StoreUnreachable):
        await authenticator.authenticate(bearer("anything"))
    store.away = False
    await authenticator.authenticate(bearer("anything"))
    store.away = True

    assert (await authenticator.authenticate(bearer("another"))).key is None


async def test_an_open_door_is_known_by_the_version_that_came_while_it_was_looked_at(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticator = an_authenticator(store, KeyPolicy.OPEN)
    is_any, looks = store.any, []

    async def lookup() -> Any:
        looks.append(authenticator.version)
        authenticator.see(0)
        return await is_any()

    monkeypatch.setattr(store, "any", lookup)
    await authenticator.authenticate(Caller())
    store.away = True

    assert looks == [-1, 0]
    assert (await authenticator.authenticate(bearer("another"))).key is None


async def test_the_memory_of_wrong_keys_is_bounded(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_proapi.gateway.auth.authenticator.MOST_MISSES", 3)
    authenticator = an_authenticator(store)

    for n in range(10):
        with pytest.raises(BadKey):
            await authenticator.authenticate(bearer(f"wrong{n}"))

    assert len(authenticator._misses) <= 3


async def test_a_wrong_key_is_remembered_without_being_kept(store: Any) -> None:
    authenticator = an_authenticator(store)

    with pytest.raises(BadKey):
        await authenticator.authenticate(bearer("somebody-elses-key"))

    [miss] = authenticator._misses
    assert len(miss) == 32
    assert b"somebody" not in miss
    assert hashlib.sha256(b"somebody-elses-key").digest() != miss
