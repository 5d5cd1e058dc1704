"""Addresses of hosts: looked up by the system, remembered briefly, those that failed tried last.

A lookup is shared by all who want the same host at a time, as it holds a thread. The system does not
say how long its answer is valid, so it is used for KEPT_SECONDS only, less than the shortest lifetime
that is common in DNS; and for a moment longer where the name server does not answer.
"""

import asyncio
import itertools
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from codex_proapi.commons.runtime.tasks import SingleFlight

KEPT_SECONDS: Final = 20.0
"""How long an answer is used without another lookup."""
STALE_SECONDS: Final = 600.0
"""How long an answer is used while the name server fails for a time (RFC 8767)."""
DEAD_SECONDS: Final = 300.0
"""How long an address that did not answer is tried after the others."""
MOST_HOSTS: Final = 64
MOST_DEAD: Final = 256

Endpoint: TypeAlias = tuple[Any, Any, int, str, tuple[Any, ...]]
"""One address as `getaddrinfo` describes it."""


class _Found(NamedTuple):
    at: float
    endpoints: list[Endpoint]


class AddressBook:
    """Addresses of hosts, for all connections of a process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: dict[tuple[str, int], _Found] = {}
        self._lookups = SingleFlight[tuple[str, int], list[Endpoint]]()
        self._dead: dict[tuple[Any, ...], float] = {}

    def __repr__(self) -> str:
        return f"<AddressBook of {len(self._found)} hosts, {len(self._dead)} addresses dead>"

    async def find(self, host: str, port: int) -> list[Endpoint]:
        """The addresses to try, in this order: families in turn, those that failed at the end.

        Raises:
            OSError: the name cannot be resolved (`socket.gaierror`), or is none.
        """
        key = (host, port)
        found = self._found.get(key)
        if found is None or self._clock() - found.at >= KEPT_SECONDS:
            found = _Found(0.0, await self._lookups.join(key, lambda: self._resolve(key)))
        return self._in_order(found.endpoints)

    def answered(self, endpoint: Endpoint, *, instead_of: Iterable[Endpoint] = ()) -> None:
        """Note an address that was connected to, and those tried before it that did not answer."""
        self._dead.pop(endpoint[4], None)
        for each in instead_of:
            if len(self._dead) >= MOST_DEAD:
                self._dead.clear()
            self._dead[each[4]] = self._clock() + DEAD_SECONDS

    def forget(self, host: str, port: int) -> None:
        """Look a host up anew the next time: none of its addresses could be connected to."""
        self._found.pop((host, port), None)

    async def _resolve(self, key: tuple[str, int]) -> list[Endpoint]:
        loop = asyncio.get_running_loop()
        try:
            endpoints: list[Endpoint] = await loop.getaddrinfo(*key, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            known = self._found.get(key)
            fresh = known is not None and self._clock() - known.at < STALE_SECONDS
            if known is None or not fresh or error.errno != socket.EAI_AGAIN:
                raise
            return known.endpoints
        except UnicodeError:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
        if len(self._found) >= MOST_HOSTS:
            self._found.clear()
        self._found[key] = _Found(self._clock(), endpoints)
        return endpoints

    def _in_order(self, endpoints: list[Endpoint]) -> list[Endpoint]:
        now = self._clock()
        return sorted(
            in_turn(endpoints), key=lambda endpoint: self._dead.get(endpoint[4], 0.0) > now
        )


def in_turn(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Addresses with their families in turn, beginning with the first one's (RFC 8305, section 4)."""
    families: dict[Any, list[Endpoint]] = {}
    for endpoint in endpoints:
        families.setdefault(endpoint[0], []).append(endpoint)
    rounds = itertools.zip_longest(*families.values())
    return [endpoint for each in rounds for endpoint in each if endpoint is not None]
