"""Many hashes are read at once; one that is no hash spoils no other."""

from redis.asyncio import Redis

from codex_proapi.commons.redis.hash_reads import HASHES_AT_ONCE, HashReads, fields_of


async def test_hashes_are_read_however_many_there_are(redis_client: Redis) -> None:
    keys = {str(n): f"{{codex-proapi}}:thing:{n}" for n in range(2 * HASHES_AT_ONCE + 1)}
    pipe = redis_client.pipeline()
    for number, key in keys.items():
        pipe.hset(key, mapping={"name": f"n{number}", "of": "\u00e9"})
    await pipe.execute()
    reads = HashReads(redis_client, "thing")

    found = await reads.records(keys)
    names = await reads.field(keys, "name")

    assert {name: fields_of(record) for name, record in found.items()} == {
        number: {"name": f"n{number}", "of": "\u00e9"} for number in keys
    }
    assert names == {number: f"n{number}" for number in keys}


async def test_what_is_gone_or_no_hash_is_left_out(redis_client: Redis) -> None:
    keys = {name: f"{{codex-proapi}}:thing:{name}" for name in ("a", "gone", "text", "z")}
    await redis_client.hset(keys["a"], "name", "A")
    await redis_client.set(keys["text"], "by hand")
    await redis_client.hset(keys["z"], "other", "Z")
    reads = HashReads(redis_client, "thing")

    assert await reads.records(keys) == {"a": ("name", "A"), "z": ("other", "Z")}
    assert await reads.field(keys, "name") == {"a": "A"}
    assert await reads.records({}) == {}
