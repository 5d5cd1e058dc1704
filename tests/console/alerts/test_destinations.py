"""Destinations: what may be entered, and that secrets stay sealed."""

from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.console.alerts.changed_destinations import (
    DestinationFault,
    Draft,
    changed_destination,
    made_destination,
)
from codex_proapi.console.alerts.destinations import (
    DestinationStore,
    Shape,
    resealed_destinations,
)

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
ADDRESS = "https://hooks.example/services/T0/B0/verysecret"


def draft(**fields: Any) -> Draft:
    return Draft(**{"name": "chat", "shape": Shape.SLACK, "address": ADDRESS, **fields})


MAIL: dict[str, Any] = {
    "shape": Shape.EMAIL,
    "address": "smtps://me@mail.example",
    "sender": "a@b.example",
    "recipients": ("c@d.example",),
}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"name": "  "}, "name"),
        ({"address": "ftp://x.example/"}, "address"),
        ({"address": "https:///nowhere"}, "address"),
        ({"address": "https://me:pw@x.example/"}, "address"),
        ({"address": "https://x.example:99999/"}, "address"),
        ({"address": "https://x.example:0/"}, "address"),
        ({"address": "https://x.example/#a"}, "address"),
        ({"address": "https://x.example\\@y.example/"}, "address"),
        ({"address": "https://[::1/"}, "address"),
        ({"address": "smtps://x.example"}, "address"),
        ({"secret": "s"}, "secret"),
        ({**MAIL, "address": "https://x.example"}, "address"),
        ({**MAIL, "sender": "a"}, "sender"),
        ({**MAIL, "sender": "a@b.example\r\nBcc: x@y.example"}, "sender"),
        ({**MAIL, "recipients": ()}, "recipients"),
        ({**MAIL, "recipients": ("a@b.example", "x y")}, "recipients"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_field(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(DestinationFault) as refused:
        made_destination(draft(**fields), now=1)

    assert refused.value.param == param


def test_json_gets_a_secret_that_is_told_once_others_get_none() -> None:
    _, opened, told = made_destination(draft(shape=Shape.JSON), now=1)
    own = made_destination(draft(shape=Shape.JSON, secret="mine"), now=1)

    assert told.startswith("whsec_")
    assert opened.secret == told
    assert own[1:] == (msgspec.structs.replace(own[1], secret="mine"), "")
    assert made_destination(draft(), now=1)[2] == ""
    assert made_destination(draft(**MAIL), now=1)[2] == ""


def test_a_secret_does_not_follow_to_a_new_address_by_itself() -> None:
    before, opened, _ = made_destination(draft(shape=Shape.DINGTALK, secret="s"), now=1)

    with pytest.raises(DestinationFault) as refused:
        changed_destination(before, opened, {"address": "https://evil.example/"})
    assert refused.value.param == "secret"
    moved = changed_destination(before, opened, {"address": "https://x.example/", "secret": "t"})[1]
    renamed, same = changed_destination(before, opened, {"name": "other"})
    assert (moved.address, moved.secret) == ("https://x.example/", "t")
    assert (renamed.name, same) == ("other", opened)


async def test_redis_has_neither_address_nor_secret(redis_client: Redis) -> None:
    store = DestinationStore(redis_client, Cipher([OLD]))
    made, opened, _ = made_destination(draft(shape=Shape.DINGTALK, secret="SECtop"), now=1)
    kept = await store.put(made, opened)
    raw = str(await redis_client.hgetall(operator_keys.alert_destinations()))

    assert (kept.host, kept.signed) == ("hooks.example:443", True)
    assert "verysecret" not in raw
    assert "SECtop" not in raw
    assert store.open(kept) == opened


async def test_secrets_are_sealed_anew_here_and_in_a_restored_backup(redis_client: Redis) -> None:
    made, opened, _ = made_destination(draft(), now=1)
    await DestinationStore(redis_client, Cipher([OLD])).put(made, opened)
    old = await redis_client.hgetall(operator_keys.alert_destinations())

    assert await DestinationStore(redis_client, Cipher([NEW, OLD])).reseal() == 1
    fresh = DestinationStore(redis_client, Cipher([NEW]))
    assert fresh.open((await fresh.all())[0]) == opened

    values = {str(name): body for name, body in old.items()}
    restored: dict[Any, Any] = dict(
        resealed_destinations(values, source=Cipher([OLD]), target=Cipher([NEW]))
    )
    await redis_client.hset(operator_keys.alert_destinations(), mapping=restored)
    assert fresh.open((await fresh.all())[0]) == opened


async def test_secrets_of_another_destination_are_not_used(redis_client: Redis) -> None:
    store = DestinationStore(redis_client, Cipher([OLD]))
    first, opened, _ = made_destination(draft(), now=1)
    second, _, _ = made_destination(draft(), now=1)
    kept = await store.put(first, opened)

    assert store.open(msgspec.structs.replace(second, sealed=kept.sealed)) is None
