"""A gateway process as far as refreshing goes: asks for one account many times at once.

Run as a program: reads its orders as JSON from the command line, waits for a line on stdin, asks,
and prints the marks of the tokens it got.
"""

import asyncio
import json
import sys
import time

import httpx

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.refresh_pace import Pace
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.codex.claims import claims_of
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.redis.clients import connect
from codex_proapi.commons.runtime.errors import CredentialUnavailable


async def main() -> None:
    orders = json.loads(sys.argv[1])
    redis = connect(orders["redis_url"])
    store = AccountStore(redis, CredentialCipher([orders["key"]]))
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        endpoint = TokenEndpoint(http, issuer=orders["issuer"], client_id="app_test", identity={})
        refresher = CredentialRefresher(
            store,
            endpoint,
            redis,
            clock=lambda: time.time() + orders.get("skew", 0),
            pace=Pace(lock=orders.get("lock", 30)),
        )
        held = await store.credential(orders["account"])
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        asked = [
            refresher.fresh(orders["account"], held=held) for _ in range(orders.get("times", 50))
        ]
        got = await asyncio.gather(*asked, return_exceptions=True)
        print(json.dumps([_shown(each) for each in got]), flush=True)
        await refresher.close()
    await redis.aclose()


def _shown(got: object) -> object:
    if isinstance(got, CredentialUnavailable):
        return type(got).__name__
    if isinstance(got, BaseException):
        return f"BROKEN {got!r}"
    claims = claims_of(got.access_token)  # type: ignore[attr-defined]
    return [got.generation, claims.expires_at if claims else 0]  # type: ignore[attr-defined]


asyncio.run(main())
