import asyncio
from typing import Any

import pytest
from support.leases import a_lease

from codex_proapi.commons.api_keys.store import ApiKey
from codex_proapi.gateway.errors import BadKey, Overloaded
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.server.in_flight import InFlight


class Opening:
    def close(self) -> None:
        """Nothing is open."""


class Cancelled:
    """A task that tells of its end."""

    def __init__(self, cancel: Any) -> None:
        self.cancel = cancel


def an_exchange(account: str = "", key: ApiKey | None = None) -> Any:
    exchange = Exchange(request_id="req_1", endpoint="chat", at=0.0, readers=(), key=key)
    if account:
        exchange.begin(a_lease(account))
        exchange.commit(Opening(), account)
    return exchange


async def test_one_too_many_is_refused_at_once() -> None:
    in_flight = InFlight(most=2)
    exchanges = [an_exchange(), an_exchange()]
    for exchange in exchanges:
        in_flight.check()
        in_flight.enter(exchange)

    with pytest.raises(Overloaded):
        in_flight.check()
    in_flight.leave(exchanges[0])
    in_flight.check()
    assert len(in_flight) == 1


async def test_it_knows_how_busy_each_account_is() -> None:
    in_flight = InFlight(most=9)
    for account in ("acc_a", "acc_a", "acc_b", ""):
        in_flight.enter(an_exchange(account))

    assert in_flight.by_account() == {"acc_a": 2, "acc_b": 1}


async def test_a_key_taken_back_ends_what_is_under_way_in_its_name() -> None:
    in_flight = InFlight(most=9)
    ended: list[Any] = []
    for key_id in ("key_a", "key_b", "key_a", None):
        exchange = an_exchange(key=None if key_id is None else ApiKey(id=key_id, name="test"))
        exchange.task = Cancelled(lambda exchange=exchange: ended.append(exchange))
        in_flight.enter(exchange)
    assert in_flight.key_ids() == {"key_a", "key_b"}

    reason = BadKey("revoked")
    in_flight.end("key_a", reason)

    assert [(each.key.id, each.interruption) for each in ended] == [("key_a", reason)] * 2


async def test_at_the_end_every_exchange_is_told_why() -> Any:
    in_flight = InFlight(most=9)
    entered = asyncio.Event()

    async def work() -> Any:
        exchange = an_exchange()
        in_flight.enter(exchange)
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return exchange.interruption

    task = asyncio.ensure_future(work())
    await entered.wait()

    in_flight.end_all()

    assert isinstance(await task, Overloaded)


async def test_once_all_were_ended_none_is_begun_and_the_end_can_be_waited_for() -> None:
    in_flight = InFlight(most=9)
    exchange = an_exchange()
    in_flight.enter(exchange)

    await in_flight.close(0)
    with pytest.raises(Overloaded, match="restarting"):
        in_flight.check()
    waiting = asyncio.ensure_future(in_flight.close(30))
    await asyncio.sleep(0)
    assert not waiting.done()
    in_flight.leave(exchange)
    await waiting
