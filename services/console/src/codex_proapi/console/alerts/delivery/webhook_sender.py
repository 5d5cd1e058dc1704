"""Sends webhooks: to checked addresses only, without following redirections, within bounds."""

import asyncio
import functools
import ipaddress
import ssl
from collections.abc import Sequence
from typing import Final

import httpx

from codex_proapi.commons.connections.http_client import Resolve, http_client
from codex_proapi.commons.connections.outgoing import Outgoing
from codex_proapi.commons.proxy.address import ProxyRules
from codex_proapi.commons.runtime.settings import Network
from codex_proapi.console.alerts.alert_store import Outcome
from codex_proapi.console.alerts.delivery.networks import (
    AddressRefused,
    HostUnknown,
    is_inside,
    resolve_checked,
)
from codex_proapi.console.alerts.delivery.webhook_requests import WebhookRequest, answer_code
from codex_proapi.console.alerts.destinations import Shape

SECONDS: Final = 15.0
"""Most seconds for one try."""
MOST_ANSWER: Final = 8192
"""Bytes of an answer that are read."""
MOST_WAIT: Final = 3600
"""Seconds; a receiver that wants a longer pause gets this one."""
_DIGITS: Final = 9


class InsecureRefused(Exception):
    """Plain HTTP, or mail without TLS, to an address that the operator has not allowed."""


class WebhookSender:
    """Sends webhooks.

    Args:
        rules: Proxies of the machine.
        allowed: Address ranges that the operator allows beside public ones.
        resolve: Finds the addresses of a host; None asks the system.
    """

    def __init__(
        self, rules: ProxyRules, *, allowed: Sequence[Network], resolve: Resolve | None = None
    ) -> None:
        self._rules = rules
        self._allowed = allowed
        self._find = resolve
        self._outgoing = Outgoing()

    def __repr__(self) -> str:
        return f"<WebhookSender, {len(self._allowed)} ranges allowed>"

    async def send(self, shape: Shape, request: WebhookRequest) -> Outcome:
        """Try once."""
        secure = request.url.startswith("https:")
        client = http_client(
            self._rules,
            outgoing=self._outgoing,
            resolve=functools.partial(self._resolve, secure=secure),
            follow_redirects=False,
            timeout=SECONDS,
        )
        try:
            async with asyncio.timeout(SECONDS), client:
                return await _exchange(client, shape, request)
        except AddressRefused:
            return Outcome(code="address_refused")
        except InsecureRefused:
            return Outcome(code="insecure_refused")
        except HostUnknown:
            return Outcome(code="host_unknown", again=True)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(code="timeout", again=True)
        except httpx.ProxyError:
            return Outcome(code="proxy_failed", again=True)
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, UnicodeError):
            return Outcome(code="unreachable", again=True)

    async def _resolve(self, host: str, port: int, *, secure: bool) -> Sequence[str]:
        found = await resolve_checked(host, port, allowed=self._allowed, resolve=self._find)
        inside = (is_inside(ipaddress.ip_address(each), self._allowed) for each in found)
        if not secure and not all(inside):
            raise InsecureRefused
        return found


async def _exchange(client: httpx.AsyncClient, shape: Shape, request: WebhookRequest) -> Outcome:
    headers = {**request.headers, "accept-encoding": "identity"}
    async with client.stream("POST", request.url, content=request.body, headers=headers) as answer:
        body = b""
        async for part in answer.aiter_raw():
            body += part[: MOST_ANSWER - len(body)]
            if len(body) >= MOST_ANSWER:
                break
    code, again = answer_code(shape, answer.status_code, body)
    return Outcome(
        code=code,
        status=answer.status_code,
        again=again,
        retry_after=_wait_of(answer.headers.get("retry-after", "")),
    )


def _wait_of(told: str) -> int:
    """Seconds that a receiver wants to be waited, at most MOST_WAIT; 0 if it does not say."""
    if not (told.isascii() and told.isdecimal()):
        return 0
    # A number of thousands of digits cannot be read, and is one all the same.
    return MOST_WAIT if len(told) > _DIGITS else min(int(told), MOST_WAIT)
