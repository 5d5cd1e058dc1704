"""Rounds of several consoles on one Redis, with a real receiver: each alert is told once."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from support.alert_receivers import WebhookReceiver, answer, webhook_receiver
from support.clock import Clock

from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.proxy.address import ProxyRules
from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.locks import Locks
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.console.alerts.alert_loop import AlertLoop
from codex_proapi.console.alerts.alert_store import AlertStore
from codex_proapi.console.alerts.changed_destinations import Draft, made_destination
from codex_proapi.console.alerts.conditions import AccountFacts, Facts
from codex_proapi.console.alerts.delivery.deliverer import Deliverer
from codex_proapi.console.alerts.destinations import DestinationStore, Shape
from codex_proapi.console.alerts.kinds import AlertKind
from codex_proapi.console.metrics import Metrics

KEY = Fernet.generate_key().decode()


class Site:
    """Some consoles, one receiver, and the facts they read."""

    def __init__(self, redis: Redis, receiver: WebhookReceiver) -> None:
        self.redis, self.receiver, self.clock = redis, receiver, Clock(1_790_000_000)
        self.states: dict[str, str] = {"ok": "ready"}
        self.destinations = DestinationStore(redis, Cipher([KEY]))
        self.metrics = Metrics(CollectorRegistry())
        self.store = AlertStore(redis)

    async def add(self, **fields: Any) -> None:
        draft = Draft(**{"name": "n", "shape": Shape.JSON, "address": self.receiver.url, **fields})
        made, opened, _ = made_destination(draft, now=int(self.clock()))
        await self.destinations.put(made, opened)

    def loop(self, store: AlertStore | None = None) -> AlertLoop:
        """One more console."""
        allowed = (ipaddress.ip_network("127.0.0.0/8"),)
        return AlertLoop(
            store=store or AlertStore(self.redis),
            destinations=self.destinations,
            deliverer=Deliverer(
                self.destinations,
                ProxyRules(),
                allowed=allowed,
                console="",
                clock=self.clock,
                read_zone=LiveSettingsStore(self.redis).time_zone,
            ),
            read_facts=self.facts,
            locks=Locks(self.redis, lambda _name: operator_keys.alert_lock(), seconds=30),
            metrics=self.metrics,
            clock=self.clock,
        )

    async def facts(self, _since: int) -> Facts:
        accounts = (
            AccountFacts(id=name, name=name, state=state, paused=False, until=0)
            for name, state in self.states.items()
        )
        return Facts(at=self.clock(), accounts=tuple(accounts))

    def told(self) -> list[str]:
        return [
            f"{body['type']} {' '.join(each['id'] for each in body['subjects'])}"
            for body in self.receiver.bodies
        ]


@pytest.fixture
async def site(redis_client: Redis) -> AsyncIterator[Site]:
    async with webhook_receiver() as receiver:
        yield Site(redis_client, receiver)


async def test_an_alert_is_told_once_by_all_consoles_and_its_end_once(site: Site) -> None:
    await site.add()
    loops = [site.loop() for _ in range(4)]
    site.states["ada"] = "sign_in"
    for _ in range(3):
        await asyncio.gather(*(loop.round() for loop in loops))
        site.clock.pass_(15)
    site.states["ada"] = "ready"
    for _ in range(5):
        await asyncio.gather(*(loop.round() for loop in loops))
        site.clock.pass_(15)

    assert site.told() == ["alert.firing ada", "alert.resolved ada"]


async def test_what_begins_together_is_one_message_to_those_that_want_it(site: Site) -> None:
    await site.add()
    await site.add(kinds=(AlertKind.POOL_DRY,))
    site.states |= {"ada": "sign_in", "bob": "disabled"}
    await site.loop().round()

    assert site.told() == ["alert.firing ada bob"]


async def test_a_message_is_tried_again_with_the_same_id_and_then_given_up(site: Site) -> None:
    await site.add()
    site.receiver.answers += [answer(503)] * 99
    site.states["ada"] = "sign_in"
    loop = site.loop()
    for _ in range(400):
        await loop.round()
        site.clock.pass_(15)

    ids = [headers["webhook-id"] for _, headers, _ in site.receiver.requests]
    assert (len(ids), len(set(ids))) == (8, 1)
    assert await site.store.deliveries() == []
    results = {
        r: site.metrics.alert_deliveries.labels(r)._value.get() for r in ("failed", "given_up")
    }
    assert results == {"failed": 7, "given_up": 1}


async def test_a_receiver_that_asks_for_a_pause_gets_it(site: Site) -> None:
    await site.add()
    site.receiver.answers.append(answer(429, retry_after="600"))
    site.states["ada"] = "sign_in"
    loop = site.loop()
    await loop.round()
    site.clock.pass_(599)
    await loop.round()
    assert len(site.receiver.requests) == 1

    site.clock.pass_(1)
    await loop.round()
    assert len(site.receiver.requests) == 2


class Forgetful(AlertStore):
    """A store that Redis leaves alone just when a delivery is to be finished."""

    async def finish(self, field: str) -> None:
        del field
        raise StoreUnavailable("away")


async def test_redis_that_blinks_after_a_delivery_brings_no_second_message(site: Site) -> None:
    await site.add()
    site.states["ada"] = "sign_in"
    loop = site.loop(Forgetful(site.redis))
    for _ in range(3):
        with contextlib.suppress(StoreUnavailable):
            await loop.round()
        site.clock.pass_(60)
    loop._store = site.store
    await loop.round()

    assert site.told() == ["alert.firing ada"]
    assert await site.store.deliveries() == []


async def test_a_new_process_goes_on_where_the_old_one_ended(site: Site) -> None:
    await site.add()
    site.receiver.answers.append(answer(500))
    site.states["ada"] = "sign_in"
    await site.loop().round()
    site.clock.pass_(30)
    await site.loop().round()
    await site.loop().round()

    assert site.told() == ["alert.firing ada"] * 2, "the try that failed, and the one that did not"


async def test_the_first_destination_is_told_what_holds_already(site: Site) -> None:
    site.states["ada"] = "sign_in"
    await site.loop().round()
    assert await site.store.alerts() == {}

    await site.add()
    await site.loop().round()
    assert site.told() == ["alert.firing ada"]


async def test_of_many_alerts_a_message_names_some_and_counts_the_rest(site: Site) -> None:
    await site.add()
    site.states |= {f"a{number}": "sign_in" for number in range(70)}
    await site.loop().round()

    body = site.receiver.bodies[0]
    assert (len(body["subjects"]), body["more"]) == (50, 20)


async def test_a_destination_that_is_off_gets_nothing_and_what_waited_is_dropped(
    site: Site,
) -> None:
    await site.add()
    await site.add(enabled=False)
    site.receiver.answers.append(answer(500))
    site.states["ada"] = "sign_in"
    await site.loop().round()
    on = next(one for one in await site.destinations.all() if one.enabled)
    await site.destinations.remove(on.id)
    site.clock.pass_(60)
    await site.loop().round()

    assert len(site.receiver.requests) == 1
    assert await site.store.deliveries() == []
