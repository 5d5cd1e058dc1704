"""An exchange that is cut off at any of its awaits: settled once, and nothing of it is left."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import msgspec
import pytest
from support.asgi import Sent
from support.gateways import Stage, a_chat, stage

from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.gateway.api.dialects.chat import CHAT
from codex_proapi.gateway.auth.client_head import NO_HEAD
from codex_proapi.gateway.errors import Overloaded
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.serve import ExchangeService, Request
from codex_proapi.gateway.server.body_budget import BodyHold
from codex_proapi.gateway.server.sink import HttpSink


class Posted(Request, kw_only=True, eq=False):
    """A request whose body is there."""

    body: bytes

    async def read_body(self, hold: BodyHold) -> bytes:
        hold.take(len(self.body))
        return self.body


class Cut:
    """Awaits something, and cuts it off once it has been suspended so many times."""

    def __init__(self, work: Coroutine[Any, Any, None], *, after: int, cut: Any) -> None:
        self._work = work
        self._left = after
        self._cut = cut
        self.reached = False

    def __await__(self) -> Generator[Any, Any, None]:
        sent: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits = self._work.send(sent) if error is None else self._work.throw(error)
            except StopIteration:
                return
            if self._left == 0:
                self.reached = True
                self._cut()
            self._left -= 1
            error = None
            try:
                sent = yield waits
            except BaseException as raised:  # noqa: BLE001 - the coroutine's, as if it awaited
                error = raised


def interrupt(exchange: Exchange) -> None:
    exchange.interrupt(Overloaded("The key was revoked."))


def leave(exchange: Exchange) -> None:
    exchange.interrupt(None)


def cancel(exchange: Exchange) -> None:
    assert exchange.task is not None
    exchange.task.cancel()


CUTS: dict[Callable[[Exchange], None], set[Ending]] = {
    interrupt: {Ending.REFUSED, Ending.BROKEN, Ending.WHOLE},
    leave: {Ending.ABANDONED, Ending.WHOLE},
    cancel: {Ending.REFUSED, Ending.BROKEN, Ending.WHOLE},
}
"""How an exchange may end that was cut off so; whole, if that was known already."""


async def served(play: Stage, number: int, cut: Callable[[Exchange], None], stream: bool) -> bool:
    """Serve one request that is cut off at this of its awaits; False if it has fewer."""
    services = play.replicas[0].gateway.services
    service, request_id = ExchangeService(services, CHAT), f"req_{number}"
    records: list[ExchangeRecord] = []
    service._services = msgspec.structs.replace(
        services, readers=(*services.readers, records.append)
    )
    ticking = len(services.ticker)
    body = msgspec.json.encode(a_chat(stream=stream))
    request = Posted(id=request_id, head=NO_HEAD, watch=lambda _: None, body=body)

    def now() -> None:
        [exchange] = services.in_flight._exchanges
        cut(exchange)

    work = Cut(service.serve(request, HttpSink(Sent(), request_id, CHAT)), after=number, cut=now)

    async def run() -> None:
        await work

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.ensure_future(run())

    [record] = records
    assert record.request_id == request_id
    assert record.ending in (CUTS[cut] if work.reached else {Ending.WHOLE})
    budget = services.dispatcher.context.budget
    assert (budget.under_way, budget.retrying) == (0, 0)
    assert (len(services.in_flight), len(services.ticker)) == (0, ticking)
    assert services.bodies.held == 0
    return work.reached


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("cut", CUTS)
async def test_it_is_settled_once_wherever_it_is_cut_off(
    redis_url: str, cut: Callable[[Exchange], None], stream: bool
) -> None:
    async with stage(redis_url, "ada") as play:
        await play.chat()
        number = 0
        while await served(play, number, cut, stream):
            number += 1

        assert number > 2
        assert (await play.chat(stream=stream)).status_code == 200


@pytest.mark.parametrize("cut", CUTS)
async def test_the_same_holds_for_one_that_tries_several_accounts(
    redis_url: str, cut: Callable[[Exchange], None]
) -> None:
    async with stage(redis_url, "ada", "ben") as play:
        await play.chat()
        number, reached = 0, True
        while reached:
            play.sim.script("bare_502", times=1)
            reached = await served(play, number, cut, stream=True)
            number += 1
            play.sim.world.faults.clear()
            for account in await play.accounts.list():
                await play.cooldowns.clear(account.id)

        assert number > 4
