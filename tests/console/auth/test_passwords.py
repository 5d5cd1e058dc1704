"""Passwords: strong enough, and kept only as an argon2id hash."""

import asyncio
import time

import pytest
from argon2 import PasswordHasher

from codex_proapi.console.auth.passwords import Passwords, check_strength
from codex_proapi.console.errors import BadRequest

GOOD = "correct mule battery clip"


def quick() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


async def test_a_hash_is_argon2id_with_the_recommended_effort() -> None:
    kept = await Passwords().hash(GOOD)

    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert GOOD not in kept


async def test_only_the_password_itself_fits() -> None:
    passwords = quick()
    kept = await passwords.hash(GOOD)

    assert await passwords.verify(kept, GOOD)
    assert not await passwords.verify(kept, GOOD + " ")
    assert not await passwords.verify(kept, "")


@pytest.mark.parametrize("kept", ["", "plain", "$argon2id$broken"])
async def test_without_a_good_hash_nothing_fits(kept: str) -> None:
    assert not await quick().verify(kept, GOOD)


async def test_an_absent_password_takes_as_long_to_refuse_as_a_wrong_one() -> None:
    passwords = Passwords(PasswordHasher(time_cost=4, memory_cost=16_384, parallelism=1))
    kept = await passwords.hash(GOOD)
    await passwords.verify("", "warm up")
    took = []
    for each in (kept, ""):
        began = time.process_time()
        for _ in range(3):
            await passwords.verify(each, "wrong one")
        took.append(time.process_time() - began)

    assert 1 / 3 < took[0] / took[1] < 3


async def test_hashing_leaves_the_event_loop_free() -> None:
    passwords = Passwords()
    hashing = asyncio.ensure_future(passwords.hash(GOOD))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert turns > 5


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "xk9#Lq2!vT7z",
        "密码很长很安全的一句话吧对",
        "four plain english words",
        "a" * 11 + "bcdefghijk",
    ],
)
def test_a_good_password_passes(password: str) -> None:
    check_strength(password)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "short",
        "elevenchars",
        "x" * 600,
        "administrator",
        "Administrator1",
        "password1234",
        "P@ssw0rd1234",
        "passwordpassword",
        "correcthorsebatterystaple",
        "letmeinletmein",
        "qwertyuiop12",
        "aaaaaaaaaaaa",
        "121212121212",
        "123456789012",
        "abcdefghijklmn",
        "zyxwvutsrqpo",
        "woaini5201314",
    ],
)
def test_a_short_common_or_patterned_password_is_refused(password: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_strength(password)

    assert (caught.value.code.value, caught.value.param) == ("weak_password", "password")
