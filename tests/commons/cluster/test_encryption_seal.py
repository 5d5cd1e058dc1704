"""With encryption keys that are not those of the data no process begins, and the right ones always do."""

import asyncio

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from support.logins import a_login

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.cluster.encryption_seal import EncryptionSeal, WrongEncryptionKeys
from codex_proapi.commons.redis import keyspace

A, B, C = (Fernet.generate_key().decode() for _ in range(3))


async def opens(redis: Redis, *keys: str) -> bool:
    try:
        await EncryptionSeal(redis, CredentialCipher(keys)).check()
    except WrongEncryptionKeys as wrong:
        assert "give this process the keys" in str(wrong)  # noqa: PT017 - what to do is said
        return False
    return True


async def add(redis: Redis, *keys: str, workspace: str = "ws-1") -> None:
    login = a_login(exp=4_000_000_000, workspace=workspace, refresh_token=f"rt_{workspace}")
    await AccountStore(redis, CredentialCipher(keys)).add(login)


async def test_the_first_process_seals_and_only_its_keys_open(redis_client: Redis) -> None:
    assert await opens(redis_client, A)
    sealed = await redis_client.get(keyspace.seal())

    assert await opens(redis_client, A)
    assert await opens(redis_client, B, A)
    assert not await opens(redis_client, B)
    assert await redis_client.get(keyspace.seal()) == sealed, "and nothing was written"


async def test_of_several_that_begin_at_once_with_different_keys_one_wins(
    redis_client: Redis,
) -> None:
    outcomes = await asyncio.gather(*(opens(redis_client, key) for key in (A, B, C) * 3))

    assert sorted(outcomes) == [False] * 6 + [True] * 3


async def test_without_a_seal_a_credential_of_a_release_before_tells(redis_client: Redis) -> None:
    await add(redis_client, A)
    await add(redis_client, C, workspace="ws-2")  # its key was lost long ago

    assert not await opens(redis_client, B)
    assert await redis_client.get(keyspace.seal()) is None
    assert await opens(redis_client, A)
    assert not await opens(redis_client, B)


async def test_keys_are_rotated_without_sealing_again(redis_client: Redis) -> None:
    """Every credential was refreshed under the new key; the seal alone is still under the old."""
    await opens(redis_client, A)
    await add(redis_client, A)
    assert await opens(redis_client, B, A)
    assert not await opens(redis_client, B)

    await AccountStore(redis_client, CredentialCipher([B, A])).reseal()

    assert await opens(redis_client, B)
    assert not await opens(redis_client, A)


async def test_one_credential_that_opens_is_no_proof_against_a_seal(redis_client: Redis) -> None:
    await opens(redis_client, A)
    await add(redis_client, A)
    await add(redis_client, B, workspace="ws-2")

    assert not await opens(redis_client, B)
    assert await opens(redis_client, A)


@pytest.mark.parametrize("strange", ["", "gAAAAnonsense", "\N{SNOWMAN}"])
async def test_a_seal_that_is_none_is_refused(redis_client: Redis, strange: str) -> None:
    await redis_client.set(keyspace.seal(), strange)

    assert not await opens(redis_client, A)
    await EncryptionSeal(redis_client, CredentialCipher([A])).write()
    assert await opens(redis_client, A)
