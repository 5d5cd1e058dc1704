from redis.asyncio import Redis
from support.exchanges import a_record
from support.leases import NOW

from commons import redis_keys
from commons.accounts.cooldowns import CooldownStore
from commons.accounts.model import Cooldown, CooldownReason
from commons.accounts.survey import Surveyor
from commons.log_stream import LogEntry, LogKind, LogStream
from commons.usage import UsageStore
from gateway.relay.books import RedisBooks


async def test_each_store_takes_its_part(redis_client: Redis) -> None:
    cooldowns, surveyor = CooldownStore(redis_client), Surveyor(redis_client)
    books = RedisBooks(
        redis_client, usage=UsageStore(redis_client), surveyor=surveyor, cooldowns=cooldowns
    )
    until = NOW + 10**9
    shaky = Cooldown(until=until, reason=CooldownReason.TRANSIENT, since=NOW)
    await cooldowns.cool("acc_a", shaky)
    await redis_client.set(redis_keys.probe("acc_a"), "1")

    await books.add([a_record(1)])
    await books.tie({"f1": "acc_a"})
    await books.disown({"f1": ["x", "y"]})
    await books.succeed(["acc_a"])
    await books.tell([LogEntry(at=NOW, kind=LogKind.ACCOUNT, event="account.cooled")])

    entries = await LogStream(redis_client).page()
    assert [stored.entry.event for stored in entries] == ["account.cooled", "exchange.settled"]
    survey = await surveyor.survey(account_ids=["acc_a"], model="m", affinity="f1")
    assert (survey.affine, survey.cooldowns) == ("acc_a", {})
    assert await redis_client.smembers(redis_keys.foreign("f1")) == {"x", "y"}
    assert 0 < await redis_client.ttl(redis_keys.foreign("f1")) <= redis_keys.DAY
    assert not await redis_client.exists(redis_keys.probe("acc_a"))
