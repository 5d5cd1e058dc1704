"""Looks into what stored responses are made of in Redis."""

import json
from typing import Any

from cryptography.fernet import Fernet
from redis.asyncio import Redis

from codex_proapi.commons.redis import keyspace

KEY = Fernet.generate_key().decode()
NOW = 1_795_000_000.0


def response_of(*items: bytes) -> bytes:
    """A response object with these items as its output."""
    return b'{"object":"response","output":[' + b",".join(items) + b"]}"


async def nodes_of(redis: Redis, key_id: str) -> dict[str, Any]:
    """The fields of a key's hash of nodes."""
    found: Any = await redis.hgetall(keyspace.stored(key_id))
    return dict(found)


async def sums_are_exact(redis: Redis) -> dict[str, int]:
    """Compare the sums of bytes with the nodes, and give them; every node must be needed."""
    bytes_of: Any = await redis.hgetall(keyspace.stored_bytes())
    sums = {name: int(each) for name, each in bytes_of.items() if int(each)}
    expected: dict[str, int] = {}
    for name in map(str, await redis.keys(keyspace.stored("*"))):
        key_id = name.removeprefix(keyspace.stored(""))
        fields = await nodes_of(redis, key_id)
        nodes = {
            field.removeprefix("node:"): json.loads(value)
            for field, value in fields.items()
            if field.startswith("node:")
        }
        for node_id, node in nodes.items():
            needed = sum(each["parent"] == node_id for each in nodes.values())
            assert node["refs"] == needed + node_id.startswith("response:"), (node_id, node)
            assert node["parent"] in {"", *nodes}
            assert node["size"] > len(fields[f"data:{node_id}"])
        assert {f.removeprefix("data:") for f in fields if f.startswith("data:")} == set(nodes)
        assert {fields[f] for f in fields if f.startswith("item:")} <= set(nodes)
        expected[f"key:{key_id}"] = sum(node["size"] for node in nodes.values())
    if expected:
        expected["all"] = sum(expected.values())
    assert sums == expected
    return expected
