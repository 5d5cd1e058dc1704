"""Device-code logins: the person enters a short code elsewhere, any replica polls the result.

The replica that began one polls it also where no page does: a code is entered on another device, and
the page may have been closed.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from codex_proapi.commons.codex.token_endpoint import (
    GrantError,
    GrantRefused,
    GrantUnavailable,
    Pending,
    TokenEndpoint,
)
from codex_proapi.commons.runtime.errors import StoreUnavailable
from codex_proapi.commons.runtime.tasks import Tasks
from codex_proapi.console.accounts.login_service import LoginService, meaning_of
from codex_proapi.console.accounts.pending_logins import (
    LoginState,
    Outcome,
    PendingLogin,
    PendingLogins,
    Way,
    login_id_of,
)
from codex_proapi.console.errors import ConsoleError
from codex_proapi.console.owners.consent import Claim

POLL_SECONDS = 60
"""Longest a poll may take before another replica may ask."""
SLOWER_SECONDS = 5
"""Seconds that `slow_down` adds to the interval."""


class Polled(NamedTuple):
    """What a poll found."""

    outcome: Outcome
    ended: bool
    """Whether this poll has ended the login: of several at once one does."""


class DeviceLogins:
    """Starts and polls device logins, no oftener than the server allows."""

    def __init__(
        self,
        *,
        login_service: LoginService,
        endpoint: TokenEndpoint,
        pending: PendingLogins,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tasks = Tasks()
        self._sleep = sleep
        self._login_service = login_service
        self._endpoint = endpoint
        self._pending = pending
        self._clock = clock

    def __repr__(self) -> str:
        return f"<DeviceLogins {self._endpoint!r}>"

    async def begin(
        self, *, owner: str, account: str = "", claim: Claim | None = None
    ) -> PendingLogin:
        """Start a device login; the result has the code and where to enter it."""
        try:
            device = await self._endpoint.start_device()
        except GrantError as error:
            failure = meaning_of(error)
            self._login_service.hook(Way.DEVICE, failure.code)
            raise failure from error
        pending = PendingLogin(
            id=login_id_of(secrets.token_urlsafe(32)),
            way=Way.DEVICE,
            owner=owner,
            expires_at=int(self._clock()) + device.expires_in,
            account=account,
            device=device,
            claim=claim,
        )
        await self._pending.keep(pending)
        await self._pending.polled(pending.id, pause=device.interval)
        return pending

    def watch(self, pending: PendingLogin, note: Callable[[Outcome], Awaitable[None]]) -> None:
        """Poll a login in the background until it ends.

        Args:
            pending: The login.
            note: Is told its end, if a poll of this watch has ended it.
        """
        self._tasks.start(self._watch(pending, note), name="device login")

    async def close(self) -> None:
        """End the watches; pages and other replicas may still poll."""
        await self._tasks.close()

    async def poll(self, login_id: str, *, owners: frozenset[str]) -> Polled:
        """Poll the server if the interval has passed; tells the login's state."""
        outcome = await self._login_service.login_state(login_id, owners=owners)
        if outcome.login_state is not LoginState.WAITING or outcome.way is not Way.DEVICE:
            return Polled(outcome, ended=False)
        ended = False
        if await self._pending.may_poll(login_id, seconds=POLL_SECONDS):
            pending = await self._pending.get(login_id)
            if pending is not None:
                ended = await self._ask(pending)
        outcome = await self._login_service.login_state(login_id, owners=owners)
        return Polled(outcome, ended=ended)

    async def _watch(
        self, pending: PendingLogin, note: Callable[[Outcome], Awaitable[None]]
    ) -> None:
        interval = pending.device.interval if pending.device else 0
        while True:
            await self._sleep(max(1, interval))
            try:
                outcome, ended = await self.poll(pending.id, owners=frozenset({pending.owner}))
                if ended:
                    await note(outcome)
            except StoreUnavailable:
                continue
            except ConsoleError:  # nobody knows it any more
                return
            if outcome.login_state is not LoginState.WAITING:
                return

    async def _ask(self, pending: PendingLogin) -> bool:
        """Ask the server; whether that has ended the login."""
        device = pending.device
        if device is None:
            return False
        try:
            answer = await self._endpoint.poll_device(device)
        except GrantUnavailable:  # it may answer the next time
            await self._pending.polled(pending.id, pause=device.interval)
        except GrantRefused as error:
            if await self._pending.take(pending.id) is None:
                return False
            await self._login_service.fail(pending, meaning_of(error))
            return True
        else:
            if isinstance(answer, Pending):
                await self._wait(pending, slower=answer.slower)
            elif await self._pending.take(pending.id) is not None:
                try:
                    await self._login_service.arrive(answer, pending)
                except ConsoleError as error:
                    # The login's own failures are how it stands; ours are the caller's.
                    if error.status >= 500:  # noqa: PLR2004 - ours
                        raise
                return True
        return False

    async def _wait(self, pending: PendingLogin, *, slower: bool) -> None:
        device = pending.device
        if device is None:
            return
        if slower:
            device = msgspec.structs.replace(device, interval=device.interval + SLOWER_SECONDS)
            await self._pending.change(msgspec.structs.replace(pending, device=device))
        await self._pending.polled(pending.id, pause=device.interval)
