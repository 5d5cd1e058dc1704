"""Alerts and their deliveries in Redis. Each step compares what it replaces, so it happens once."""

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from codex_proapi.commons.redis import operator_keys
from codex_proapi.commons.redis.clients import ask, mapped, text
from codex_proapi.commons.redis.scripts import Scripts
from codex_proapi.commons.runtime.stored_records import read_json
from codex_proapi.console.alerts.conditions import AlertKey
from codex_proapi.console.alerts.destinations import Destination
from codex_proapi.console.alerts.kinds import MOST_SUBJECTS, AlertKind, Notification, Phase, Subject
from codex_proapi.console.alerts.transitions import Alert, Change

MOST_DELIVERIES: Final = 1000
"""Most deliveries that wait; beyond it new ones are dropped and counted."""
MOST_CHANGES: Final = 1000
"""Most alerts that change in one round; the next one goes on."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message on its way to one destination."""

    notification: Notification
    destination: str
    tries: int = 0
    """Tries begun."""
    next_at: int = 0
    """When it is tried next, seconds since the epoch."""

    @property
    def field(self) -> str:
        """Its name among the deliveries."""
        return f"{self.notification.id} {self.destination}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a try went."""

    code: str
    """`delivered`, else why not."""
    status: int = 0
    """HTTP or SMTP status, if there was one."""
    at: int = 0
    """Seconds since the epoch."""
    again: bool = False
    """Whether another try may help."""
    retry_after: int = 0
    """Seconds to wait before, if the receiver said so."""

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it."""
        return self.code == "delivered"


class AlertStore:
    """Store of alerts, deliveries and the last outcomes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, __package__)

    def __repr__(self) -> str:
        return "<AlertStore>"

    async def alerts(self) -> dict[AlertKey, Alert]:
        """Every alert that has begun."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.alerts()))
        found = [read_json(text(b), Alert, kind="alert", name=text(n)) for n, b in kept.items()]
        return {alert.key: alert for alert in found if alert is not None}

    async def forget(self) -> None:
        """Drop every alert: nobody wants to be told."""
        with mapped():
            await self._redis.delete(operator_keys.alerts(), operator_keys.alert_deliveries())

    async def apply(
        self, changes: Sequence[Change], destinations: Sequence[Destination], *, now: int
    ) -> tuple[list[Notification], int] | None:
        """Change alerts and queue what is told, in one step that is on disk before anything is sent.

        Gives the notifications made and how many deliveries found no room; None where another
        console was first.
        """
        changes = changes[:MOST_CHANGES]
        made = notifications_of(changes, now=now)
        queued = [
            Delivery(notification=each, destination=one.id, next_at=now)
            for each in made
            for one in destinations
            if one.wants(each.kind)
        ]
        args: list[str] = [str(len(changes)), str(MOST_DELIVERIES)]
        for change in changes:
            args += [" ".join(change.key), _encoded(change.before), _encoded(change.after)]
        for delivery in queued:
            args += [delivery.field, _encoded(delivery)]
        keys = [operator_keys.alerts(), operator_keys.alert_deliveries()]
        dropped = int(await self._scripts.run("apply_alerts", keys, args, durably=True))
        return None if dropped < 0 else (made, dropped)

    async def deliveries(self) -> list[Delivery]:
        """Every message that waits, the next due first."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.alert_deliveries()))
        found = [
            read_json(text(body), Delivery, kind="alert delivery", name=text(name))
            for name, body in kept.items()
        ]
        return sorted(filter(None, found), key=lambda one: (one.next_at, one.field))

    async def claim(self, before: Delivery, *, next_at: int) -> Delivery | None:
        """Take a delivery for one try; None if another console did."""
        after = msgspec.structs.replace(before, tries=before.tries + 1, next_at=next_at)
        args = [before.field, _encoded(before), _encoded(after)]
        taken = await self._scripts.run("claim_delivery", [operator_keys.alert_deliveries()], args)
        return after if taken else None

    async def postpone(self, delivery: Delivery, *, next_at: int) -> None:
        """Set when a claimed delivery is tried next."""
        later = msgspec.structs.replace(delivery, next_at=next_at)
        args = [delivery.field, _encoded(delivery), _encoded(later)]
        await self._scripts.run("claim_delivery", [operator_keys.alert_deliveries()], args)

    async def finish(self, field: str) -> None:
        """Remove a delivery: taken by its receiver, or given up."""
        with mapped():
            await self._redis.hdel(operator_keys.alert_deliveries(), field)

    async def note(self, destination_id: str, outcome: Outcome) -> None:
        """Keep how the last try to a destination went."""
        with mapped():
            await self._redis.hset(
                operator_keys.alert_outcomes(), destination_id, _encoded(outcome)
            )

    async def outcomes(self) -> dict[str, Outcome]:
        """The last outcome of each destination."""
        kept = await ask(lambda: self._redis.hgetall(operator_keys.alert_outcomes()))
        found = {
            text(name): read_json(text(body), Outcome, kind="alert outcome", name=text(name))
            for name, body in kept.items()
        }
        return {name: outcome for name, outcome in found.items() if outcome is not None}

    async def backed_up(self, at: int) -> None:
        """Note that a backup was written."""
        with mapped():
            await self._redis.set(operator_keys.last_backup(), at)

    async def last_backup(self) -> int:
        """When a backup was written last, seconds since the epoch; 0 is never."""
        kept = await ask(lambda: self._redis.get(operator_keys.last_backup()))
        return int(text(kept)) if kept is not None and text(kept).isdecimal() else 0


def notifications_of(changes: Sequence[Change], *, now: int) -> list[Notification]:
    """One notification for each kind and phase that changes tell."""
    told: Mapping[tuple[AlertKind, Phase], list[Subject]] = defaultdict(list)
    for change in changes:
        alert = change.after or change.before
        if change.tells is not None and alert is not None:
            told[alert.kind, change.tells].append(alert.subject)
    return [
        Notification(
            id=new_notification_id(),
            kind=kind,
            phase=phase,
            at=now,
            subjects=tuple(subjects[:MOST_SUBJECTS]),
            more=max(0, len(subjects) - MOST_SUBJECTS),
        )
        for (kind, phase), subjects in told.items()
    ]


def new_notification_id() -> str:
    """A random id."""
    return f"ntf_{secrets.token_hex(12)}"


def _encoded(record: msgspec.Struct | None) -> str:
    return "" if record is None else msgspec.json.encode(record).decode()
