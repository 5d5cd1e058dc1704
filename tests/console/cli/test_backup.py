"""One file takes everything lasting from one installation to another."""

import asyncio
import json
import os
import pathlib
import subprocess
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from support import stored_forms
from support.redis_server import RedisServer
from support.stored_forms import SEALING_KEY

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.redis.clients import connect
from codex_proapi.console.cli.archive.file_format import BadArchive, Record, read, written
from codex_proapi.console.cli.archive.store_records import (
    BATCH,
    LASTING,
    lasting_records,
)
from codex_proapi.console.cli.commands import root

OTHER_KEY = Fernet.generate_key().decode()


def run(environ: dict[str, str], *arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(root, arguments, obj=environ, input=stdin)


def environ(url: str, key: str = SEALING_KEY) -> dict[str, str]:
    return {"REDIS_URL": url, "ENCRYPTION_KEYS": key}


async def _filled(url: str) -> tuple[dict[str, str], dict[str, Any]]:
    client = connect(url)
    try:
        known = await stored_forms.write(client)
        return known, await stored_forms.dump(client)
    finally:
        await client.aclose()


async def _dump(url: str) -> dict[str, Any]:
    client = connect(url)
    try:
        return await stored_forms.dump(client)
    finally:
        await client.aclose()


def lasting(stored: dict[str, Any]) -> dict[str, Any]:
    """What a backup has, without counters of changes, sealed texts and the records of backups."""
    found = {}
    for name, each in stored.items():
        kind = name.removeprefix(f"{keyspace.TAG}:").partition(":")[0]
        if kind in LASTING - {
            "accounts-version",
            "keys-version",
            "cooldowns-version",
            "audit",
            "logs",
            "catalogue",
        }:
            value = each["value"]
            if kind == "credential":
                value = {field: v for field, v in value.items() if field != "sealed"}
            found[name] = value
    return found


@pytest.mark.parametrize("by", ["file", "pipe"])
def test_all_that_lasts_moves_into_another_store_with_other_keys(
    redis_url: str, tmp_path: pathlib.Path, by: str
) -> None:
    known, before = asyncio.run(_filled(redis_url))
    (tmp_path / "keys").write_text(f"{SEALING_KEY}\n")
    file = tmp_path / "backup.cpa" if by == "file" else None
    made = run(environ(redis_url), "backup", str(file or "-"))
    assert made.exit_code == 0
    content = file.read_bytes() if file else made.stdout_bytes
    for secret in (known["secret"], "rt_first", "ada@example.com", "laptop"):
        assert secret.encode() not in content
    assert file is None or file.stat().st_mode & 0o077 == 0

    with RedisServer() as server:
        target = environ(server.url, OTHER_KEY)
        if file:
            restored = run(target, "restore", str(file), "--keys", str(tmp_path / "keys"))
        else:  # the keys of there on a line before the backup
            piped = f"{SEALING_KEY}\n\n".encode() + content
            restored = run(target, "restore", "-", "--keys", "-", stdin=piped)
        assert restored.exit_code == 0, restored.output
        assert lasting(asyncio.run(_dump(server.url))) == lasting(before)
        asyncio.run(_is_usable(server.url, known))


async def _is_usable(url: str, known: dict[str, str]) -> None:
    client = connect(url)
    try:
        cipher = CredentialCipher([OTHER_KEY])
        credential = await AccountStore(client, cipher).credential(known["account"])
        assert credential is not None
        assert credential.refresh_token == "rt_first"
        key = await KeyStore(client, cipher).find(known["secret"])
        assert key is not None
        assert key.id == known["key"]
        assert await client.xlen(keyspace.audit()) == 2, "and the restore itself"
    finally:
        await client.aclose()


def test_a_pipe_is_written_to_and_not_replaced(redis_url: str, tmp_path: pathlib.Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)

    made = run(environ(redis_url), "backup", str(pipe))

    content, _ = reader.communicate(timeout=120)
    assert made.exit_code == 0
    assert pipe.is_fifo()
    assert read(content.splitlines(), cipher=CIPHER) == []


def test_a_store_that_is_in_use_is_replaced_only_by_force(redis_url: str) -> None:
    asyncio.run(_filled(redis_url))
    content = run(environ(redis_url), "backup", "-").stdout_bytes
    assert run(environ(redis_url), "keys", "create", "later").exit_code == 0
    before = asyncio.run(_dump(redis_url))

    refused = run(environ(redis_url), "restore", "-", stdin=content)
    assert refused.exit_code == 1
    assert "nothing was changed" in refused.output
    assert asyncio.run(_dump(redis_url)) == before

    forced = run(environ(redis_url), "restore", "-", "--force", stdin=content)
    assert forced.exit_code == 0
    after = asyncio.run(_dump(redis_url))
    assert "later" not in run(environ(redis_url), "keys", "list").output
    for name in (keyspace.keys_version(), keyspace.accounts_version()):
        assert int(after[name]["value"]) > int(before[name]["value"]), "replicas read it anew"


def test_without_the_right_keys_nothing_is_changed(redis_url: str) -> None:
    asyncio.run(_filled(redis_url))
    content = run(environ(redis_url), "backup", "-").stdout_bytes

    with RedisServer() as server:
        target = environ(server.url, OTHER_KEY)
        refused = run(target, "restore", "-", stdin=content)
        assert isinstance(refused.exception, BadArchive)
        assert "--keys" in str(refused.exception)
        assert set(asyncio.run(_dump(server.url))) == {keyspace.schema(), keyspace.seal()}


@pytest.mark.parametrize("keys", ["absent", "empty", "-"])
def test_keys_that_cannot_be_read_change_nothing(
    redis_url: str, tmp_path: pathlib.Path, keys: str
) -> None:
    (tmp_path / "empty").write_text("")
    provided = keys if keys == "-" else str(tmp_path / keys)

    refused = run(environ(redis_url), "restore", "-", "--keys", provided, stdin=b"no keys\n")
    assert refused.exit_code != 0
    assert isinstance(refused.exception, SystemExit), "told in a sentence"
    assert asyncio.run(_dump(redis_url)) == {}


CIPHER = CredentialCipher([SEALING_KEY])
RECORDS = [Record(name=f"key:{number}", kind="hash", value={"name": "x"}) for number in range(1200)]


def test_a_file_gives_back_what_was_written() -> None:
    lines = list(written(RECORDS, cipher=CIPHER, now=5.0))

    assert read(lines, cipher=CIPHER) == RECORDS
    assert json.loads(lines[0])["created_at"] == 5
    assert read(written([], cipher=CIPHER, now=5.0), cipher=CIPHER) == []


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda lines: lines[:-1], "not whole"),
        (lambda lines: [*lines[:1], *lines[2:]], "damaged"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "damaged"),
        (lambda lines: [lines[0], lines[1][:-9] + b"AAAAAAA=\n", *lines[2:]], "opens the backup"),
        (lambda lines: lines[1:], "no backup"),
        (lambda _: [], "no backup"),
        (lambda _: [b"{}\n"], "no backup"),
        (
            lambda lines: [lines[0].replace(b'"schema":1', b'"schema":99'), *lines[1:]],
            "newer version",
        ),
        (
            lambda lines: [
                lines[0].replace(b'"codex_proapi_backup":1', b'"codex_proapi_backup":0'),
                *lines[1:],
            ],
            "with the version that wrote it",
        ),
    ],
)
def test_a_file_that_is_harmed_is_refused_as_a_whole(harm: Any, told: str) -> None:
    lines = list(written(RECORDS, cipher=CIPHER, now=5.0))

    with pytest.raises(BadArchive, match=told):
        read(harm(lines), cipher=CIPHER)


async def test_a_long_stream_comes_in_parts(redis_url: str, redis_client: Redis) -> None:
    pipe = redis_client.pipeline(transaction=False)
    for number in range(2500):
        pipe.xadd(keyspace.logs(), {"entry": "x"}, id=f"{number + 1}-0")
    await pipe.execute()
    made = await asyncio.to_thread(run, environ(redis_url), "backup", "-")
    await redis_client.flushall()

    restored = await asyncio.to_thread(
        run, environ(redis_url), "restore", "-", stdin=made.stdout_bytes
    )

    assert restored.exit_code == 0, restored.output
    assert await redis_client.xlen(keyspace.logs()) == 2501, "and that it was restored"


async def test_many_keys_are_read_in_batches(
    redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = redis_client.pipeline(transaction=False)
    for number in range(10 * BATCH):
        pipe.hset(keyspace.key(f"{number}"), "name", f"key {number}")
    await pipe.execute()
    await redis_client.sadd(keyspace.keys(), "a", "b")
    sent = 0
    send = AbstractConnection.send_packed_command

    async def counted(*args: Any, **options: Any) -> None:
        nonlocal sent
        sent += 1
        await send(*args, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)
    records = [record async for record in lasting_records(redis_client)]

    assert {record.name: record.value for record in records} == {
        "keys": ["a", "b"],
        **{f"key:{number}": {"name": f"key {number}"} for number in range(10 * BATCH)},
    }
    # Two for each batch, and what it takes to find the names, a thousand at a time.
    assert 2 * 11 < sent <= 2 * 11 + 10
