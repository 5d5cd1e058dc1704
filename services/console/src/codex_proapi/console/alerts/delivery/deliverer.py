"""One try to deliver a notification to a destination, whatever its shape."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from codex_proapi.commons.proxy.address import ProxyRules
from codex_proapi.commons.runtime.settings import Network
from codex_proapi.commons.usage.calendar import calendar_of
from codex_proapi.console.alerts.alert_store import Outcome, new_notification_id
from codex_proapi.console.alerts.delivery.mail_sender import MailSender
from codex_proapi.console.alerts.delivery.messages import message_of
from codex_proapi.console.alerts.delivery.networks import Resolve
from codex_proapi.console.alerts.delivery.webhook_requests import webhook_request
from codex_proapi.console.alerts.delivery.webhook_sender import WebhookSender
from codex_proapi.console.alerts.destinations import Destination, DestinationStore, Shape
from codex_proapi.console.alerts.kinds import AlertKind, Notification, Phase


class Deliverer:
    """Delivers notifications.

    Args:
        destinations: Opens the secrets of a destination.
        rules: Proxies of the machine, for webhooks.
        allowed: Address ranges that the operator allows beside public ones.
        console: Address of the console, for the last line of a message.
        clock: Seconds since the epoch.
        read_zone: Reads the team's time zone (None is UTC), in which messages tell times.
        resolve: Finds the addresses of a host; None asks the system.
    """

    def __init__(
        self,
        destinations: DestinationStore,
        rules: ProxyRules,
        *,
        allowed: Sequence[Network],
        console: str,
        clock: Callable[[], float],
        read_zone: Callable[[], Awaitable[str | None]],
        resolve: Resolve | None = None,
    ) -> None:
        self._destinations = destinations
        self._console = console
        self._clock = clock
        self._read_zone = read_zone
        self._webhooks = WebhookSender(rules, allowed=allowed, resolve=resolve)
        self._mail = MailSender(allowed=allowed, resolve=resolve)

    def __repr__(self) -> str:
        return f"<Deliverer by {self._webhooks!r}>"

    async def deliver(self, destination: Destination, notification: Notification) -> Outcome:
        """Try once; gives how it went."""
        now = int(self._clock())
        opened = self._destinations.open(destination)
        if opened is None:
            return Outcome(code="sealed", at=now)
        calendar = calendar_of(await self._read_zone())
        message = message_of(
            notification, destination.language, console=self._console, calendar=calendar
        )
        if destination.shape is Shape.EMAIL:
            outcome = await self._mail.send(destination, opened, notification, message)
        else:
            request = webhook_request(destination.shape, opened, notification, message, now=now)
            outcome = await self._webhooks.send(destination.shape, request)
        return msgspec.structs.replace(outcome, at=int(self._clock()))

    async def test(self, destination: Destination) -> Outcome:
        """Deliver a message that says it is a test."""
        return await self.deliver(
            destination,
            Notification(
                id=new_notification_id(),
                kind=AlertKind.POOL_DRY,
                phase=Phase.TEST,
                at=int(self._clock()),
            ),
        )
