"""`codex-proapi migrate`: from every kind of store into every other, with other encryption keys."""

import asyncio
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from support import stored_forms
from support.redis_server import RedisServer
from support.redis_sets import RedisCluster, RedisSentinels
from support.stored_forms import SEALING_KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.archive.store_records import VERSIONS, kind_of, lasting_records
from codex_proapi.console.cli.commands import root
from codex_proapi.console.cli.opened_store import opened

KINDS = ("embedded", "one Redis", "sentinel", "cluster")


class Site:
    """One store of some kind, with encryption keys of its own."""

    def __init__(self, kind: str, folder: pathlib.Path) -> None:
        self.kind = kind
        self.folder = folder / kind.replace(" ", "-")
        self.folder.mkdir()
        self.key = Fernet.generate_key().decode()
        self.keys = self.folder / "keys"
        self.keys.write_text(self.key + "\n")
        self.url = ""

    @property
    def environ(self) -> dict[str, str]:
        where = {"REDIS_URL": self.url} if self.url else {"DATA_DIR": str(self.folder)}
        return {**where, "ENCRYPTION_KEYS": self.key}

    @property
    def options(self) -> list[str]:
        where = ["--to-url", self.url] if self.url else ["--to-data-dir", str(self.folder)]
        return [*where, "--to-keys", str(self.keys)]

    def stored(self) -> dict[str, Any]:
        """Everything lasting but sealed texts, counters of changes and what a migration notes."""
        return asyncio.run(self._stored())

    async def _stored(self) -> dict[str, Any]:
        found = {}
        async with opened(self.environ, any_keys=True, patience=60) as store:
            async for each in lasting_records(store.redis):
                value = each.value
                if kind_of(each.name) == "credential":
                    value = {field: v for field, v in value.items() if field != "sealed"}
                if each.kind == "stream":
                    value = [entry for entry in value if "store.migrated" not in str(entry)]
                if each.name not in VERSIONS:
                    found[each.name] = each.kind, value
        return found

    def refresh_token(self, account: str) -> str:
        return asyncio.run(self._refresh_token(account))

    async def _refresh_token(self, account: str) -> str:
        async with opened(self.environ, patience=60) as store:
            credential = await store.accounts.credential(account)
            return credential.refresh_token if credential else ""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    folder = tmp_path_factory.mktemp("sites")
    made = {kind: Site(kind, folder) for kind in KINDS}
    with RedisServer() as one, RedisSentinels() as sentinels, RedisCluster() as cluster:
        for kind, url in zip(KINDS[1:], (one.url, sentinels.url, cluster.url), strict=True):
            made[kind].url = url
        yield made


def migrate(source: Site, *options: str) -> Result:
    return CliRunner().invoke(root, ["migrate", *options], obj=source.environ)


def test_a_laptop_grows_into_every_kind_of_store_and_back(
    redis_url: str, sites: dict[str, Site]
) -> None:
    origin = Site("origin", sites["embedded"].folder.parent)
    origin.url, origin.key = redis_url, SEALING_KEY
    known = asyncio.run(_filled(redis_url))
    expected = origin.stored()

    way = [origin, *(sites[kind] for kind in KINDS)]
    for source, target in zip([*way, way[-1]], [*way[1:], sites["embedded"]], strict=False):
        force = ["--force"] if target is sites["embedded"] and source is not origin else []
        done = migrate(source, *target.options, *force)
        assert done.exit_code == 0, f"{source.kind} to {target.kind}: {done.output}"
        assert "2 accounts" in done.output
        assert target.stored() == expected, f"{source.kind} to {target.kind}"
        assert source.stored() == expected, "the source is as it was"
        assert target.refresh_token(known["account"]) == "rt_first"


async def _filled(url: str) -> dict[str, str]:
    client = connect(url)
    try:
        known = await stored_forms.write(client)
        await client.delete(keyspace.replicas())  # whoever wrote them has stopped
        return known
    finally:
        await client.aclose()


@pytest.fixture
def pair(redis_url: str, tmp_path: pathlib.Path) -> Iterator[tuple[Site, Site]]:
    """A source with data, and another Redis that is empty."""
    source, target = Site("source", tmp_path), Site("target", tmp_path)
    source.url, source.key = redis_url, SEALING_KEY
    asyncio.run(_filled(redis_url))
    with RedisServer() as server:
        target.url = server.url
        yield source, target


def test_a_target_that_is_not_empty_is_refused(pair: tuple[Site, Site]) -> None:
    source, target = pair
    made = CliRunner().invoke(root, ["keys", "create", "theirs"], obj=target.environ)
    assert made.exit_code == 0
    before = target.stored()

    refused = migrate(source, *target.options)
    assert refused.exit_code == 1
    assert "nothing was changed" in refused.output
    assert target.stored() == before

    assert migrate(source, *target.options, "--force").exit_code == 0
    assert target.stored() == source.stored()


def test_while_gateways_serve_it_is_refused(pair: tuple[Site, Site]) -> None:
    source, target = pair
    asyncio.run(_beat(source))

    refused = migrate(source, *target.options)
    assert refused.exit_code == 1
    assert "from the source 1 gateway still serves" in " ".join(refused.output.split())
    assert target.stored() == {}
    assert migrate(source, *target.options, "--serving").exit_code == 0


async def _beat(site: Site) -> None:
    async with opened(site.environ) as store:
        await ReplicaStore(store.redis).beat(Replica(id="r", service="gateway", host="box"))


def test_with_keys_that_are_not_those_of_the_target_nothing_changes(
    pair: tuple[Site, Site], tmp_path: pathlib.Path
) -> None:
    source, target = pair
    assert CliRunner().invoke(root, ["keys", "list"], obj=target.environ).exit_code == 0  # its seal
    other = tmp_path / "other-keys"
    other.write_text(Fernet.generate_key().decode())

    refused = migrate(source, "--to-url", target.url, "--to-keys", str(other))
    assert refused.exit_code == 1
    assert "ENCRYPTION_KEYS do not open" in " ".join(refused.output.split())
    assert target.stored() == {}


def test_a_target_that_is_away_is_named_without_its_password(pair: tuple[Site, Site]) -> None:
    source, target = pair
    url = "redis://:invented@127.0.0.1:1/0"

    refused = migrate(source, "--to-url", url, "--to-keys", str(target.keys))
    assert refused.exit_code == 1
    assert "127.0.0.1:1" in refused.output
    assert "invented" not in refused.output


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--to-url", "redis://x/0"],
        ["--to-url", "redis://x/0", "--to-data-dir", "y", "--to-keys", "KEYS"],
        ["--to-url", "nonsense", "--to-keys", "KEYS"],
    ],
)
def test_a_wrong_command_begins_nothing(
    options: list[str], redis_url: str, tmp_path: pathlib.Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(SEALING_KEY)
    environ = {"REDIS_URL": redis_url, "ENCRYPTION_KEYS": SEALING_KEY}
    provided = [str(keys) if each == "KEYS" else each for each in options]

    result = CliRunner().invoke(root, ["migrate", *provided], obj=environ)
    assert result.exit_code != 0
    assert "Traceback" not in result.output


def test_keys_in_the_target_open_with_its_key_alone(pair: tuple[Site, Site]) -> None:
    source, target = pair
    assert migrate(source, *target.options).exit_code == 0

    async def opened_with(key: str) -> int:
        client = connect(target.url)
        try:
            store = AccountStore(client, CredentialCipher([key]))
            return await store.reseal()
        finally:
            await client.aclose()

    assert asyncio.run(opened_with(SEALING_KEY)) == 0
    assert asyncio.run(opened_with(target.key)) == 2
