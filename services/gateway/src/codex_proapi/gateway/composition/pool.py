"""Composition of account selection, admission and the failover loop."""

from functools import partial

import msgspec

from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.gateway.composition.stores import Stores
from codex_proapi.gateway.composition.upstream import Upstream
from codex_proapi.gateway.exchange.dispatch import Dispatcher
from codex_proapi.gateway.exchange.dispatch_state import DispatchContext
from codex_proapi.gateway.metrics.registry import Metrics
from codex_proapi.gateway.pool.account_facts import AccountFacts
from codex_proapi.gateway.pool.account_selector import AccountSelector
from codex_proapi.gateway.pool.account_waits import AccountWaits
from codex_proapi.gateway.pool.admission_control import AdmissionControl
from codex_proapi.gateway.pool.encrypted_items import EncryptedItems
from codex_proapi.gateway.pool.health.accepted_shapes import AcceptedShapes
from codex_proapi.gateway.pool.health.circuit_breakers import CircuitBreakers
from codex_proapi.gateway.pool.health.outcomes import OutcomeRecorder
from codex_proapi.gateway.pool.health.retry_budget import RetryBudget
from codex_proapi.gateway.pool.queueing_selector import QueueingSelector
from codex_proapi.gateway.pool.state.clock import SharedClock
from codex_proapi.gateway.quota.newest_readings import NewestReadings


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """Selection of accounts, admission of requests, and the failover loop."""

    selector: AccountSelector
    admission_control: AdmissionControl
    dispatcher: Dispatcher


def open_pool(
    stores: Stores, upstream: Upstream, *, clock: SharedClock, metrics: Metrics, tasks: Tasks
) -> Pool:
    """Make the pool of one replica."""
    facts = AccountFacts(upstream.catalogues, upstream.quota_tracker)
    breakers = CircuitBreakers(stores.redis.commands, stores.cooldowns, clock=clock)
    metrics.states.watch_breakers(lambda: breakers.counts(stores.view.accounts))
    metrics.states.watch_egress(lambda: upstream.egress.state)
    metrics.states.watch_redis(lambda: stores.redis.breaker.state)
    outcomes = OutcomeRecorder(
        store=stores.accounts,
        cooldowns=stores.cooldowns,
        breakers=breakers,
        ledger=stores.ledger,
        metrics=metrics,
        clock=clock,
    )
    selector = AccountSelector(
        view=stores.view,
        snapshots=stores.outage,
        refresher=upstream.refresher,
        breakers=breakers,
        outcomes=outcomes,
        clock=clock,
        facts=facts,
        newest=NewestReadings(stores.view, upstream.quota_tracker.learn),
    )
    dispatcher = Dispatcher(
        selector=QueueingSelector(
            selector, stores.queue, redis_breaker=stores.redis.breaker, metrics=metrics
        ),
        outcomes=outcomes,
        transport=upstream.sockets,
        ciphertexts=EncryptedItems(stores.redis.commands, stores.ledger),
        ledger=stores.ledger,
        context=DispatchContext(
            identity=upstream.identity,
            clock=clock,
            metrics=metrics,
            budget=RetryBudget(),
            egress=upstream.egress,
            reachability=upstream.reachability,
            shapes=AcceptedShapes(clock, metrics),
            observer=facts,
            outdated=partial(
                upstream.catalogues.refuses_version, version=upstream.identity.version
            ),
            wait=AccountWaits(
                lambda: stores.outage.pool_version,
                stores.outage.read_pool_version,
                tasks=tasks,
                figures=metrics.states,
            ).wait,
        ),
    )
    return Pool(
        selector=selector,
        admission_control=AdmissionControl(stores.authenticator, selector.reader),
        dispatcher=dispatcher,
    )
