"""The terms of an account over the API: read, replaced where it has no owner, and audited."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from support.clock import Clock
from support.consoles import console_settings, running, script
from support.gateways import KEY
from support.logins import a_login

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.quota_store import (
    QuotaStore,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.owner_terms.terms import Consent, HoursSpan, OwnerTerms
from codex_proapi.commons.redis import keyspace

NOW = 1_795_000_000  # Wednesday, 18 November 2026, 11:06:40 UTC
NONE = {
    "time_zone": "UTC",
    "hours": [],
    "reserved_percent": {"five_hour": 0.0, "weekly": 0.0, "monthly": 0.0},
    "key_groups": [],
    "keys": [],
    "paused": False,
}


@pytest.fixture
async def api(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running(console_settings(redis_url), clock=Clock(NOW)) as console,
        script(console) as api,
    ):
        yield api


@pytest.fixture
def store(redis_client: Redis) -> AccountStore:
    return AccountStore(redis_client, CredentialCipher((KEY,)))


@pytest.fixture
async def account(store: AccountStore) -> str:
    return (await store.add(a_login(exp=NOW + 9000))).id


async def put(api: httpx.AsyncClient, account: str, terms: Any) -> httpx.Response:
    return await api.put(f"/api/accounts/{account}/terms", json=terms)


async def test_an_account_has_none_until_they_are_set(api: httpx.AsyncClient, account: str) -> None:
    answer = await api.get(f"/api/accounts/{account}/terms")

    assert answer.json() == {
        "account": account,
        "owner": "",
        "terms": NONE,
        "unreadable": False,
        "consent_at": 0,
        "consent_wording": "",
        "closed": None,
    }
    assert (await api.get("/api/accounts/acc_gone/terms")).status_code == 404
    assert (await put(api, "acc_gone", {})).status_code == 404


async def test_what_is_put_replaces_the_terms_and_keeps_the_consent(
    api: httpx.AsyncClient, account: str, store: AccountStore
) -> None:
    consent = Consent(at=NOW - 5, wording="1")
    await store.set_terms(account, OwnerTerms(paused=True, consent=consent))
    key = (await api.post("/api/keys", json={"name": "laptop"})).json()["key"]["id"]
    terms = {
        "time_zone": "Europe/Berlin",
        "hours": [{"days": ["sat"], "from": "22:00", "until": "06:00"}],
        "reserved_percent": {"weekly": 40},
        "key_groups": ["team a"],
        "keys": [key],
    }

    answer = await put(api, account, terms)

    assert answer.status_code == 200
    assert answer.json()["terms"] == {
        **NONE,
        **terms,
        "reserved_percent": {"five_hour": 0.0, "weekly": 40.0, "monthly": 0.0},
    }
    opens = 1_795_294_800  # Saturday, 22:00 in Berlin
    assert answer.json()["closed"] == {"term": "hours", "until": opens}
    kept = await store.get(account)
    assert kept is not None
    assert kept.terms.consent == consent
    assert kept.terms.hours == (HoursSpan(days=("sat",), begin="22:00", end="06:00"),)
    shown = (await api.get(f"/api/accounts/{account}")).json()
    assert (shown["owner"], shown["closed"]) == ("", {"term": "hours", "until": opens})
    [event, *_] = (await api.get("/api/audit")).json()["deeds"]
    assert event["deed"]["action"] == "account.terms_changed"
    assert event["deed"]["before"]["paused"] is True
    assert event["deed"]["after"]["key_groups"] == '["team a"]'


@pytest.mark.parametrize(
    ("terms", "param"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"hours": [{"days": ["sat"], "from": "22:00", "until": "22:00"}]}, "hours[0].until"),
        ({"hours": [{"from": "nine"}]}, "hours[0].from"),
        ({"reserved_percent": {"weekly": 101}}, "reserved_percent.weekly"),
        ({"keys": ["key_of_nobody"]}, "keys[0]"),
        ({"key_groups": [""]}, "key_groups[0]"),
    ],
)
async def test_wrong_terms_are_refused_by_their_parameter(
    api: httpx.AsyncClient, account: str, terms: Any, param: str
) -> None:
    answer = await put(api, account, terms)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_value", param)
    assert error["message"].startswith(param)


@pytest.mark.parametrize(
    "terms",
    [
        {"hour": []},
        {"hours": [{"days": ["sat"], "form": "22:00"}]},
        {"reserved_percent": {"week": 40}},
        {"paused": "yes"},
        {"hours": "always"},
        {"unreadable": True},
        [],
    ],
)
async def test_a_misspelt_term_is_no_consent_to_everything(
    api: httpx.AsyncClient, account: str, store: AccountStore, terms: Any
) -> None:
    await store.set_terms(account, OwnerTerms(paused=True))

    answer = await put(api, account, terms)

    assert answer.status_code == 400
    kept = await store.get(account)
    assert kept is not None
    assert kept.terms.paused


async def test_the_terms_of_an_owner_are_not_the_administrators(
    api: httpx.AsyncClient, account: str, redis_client: Redis
) -> None:
    await redis_client.hset(keyspace.account(account), "owner", "own_1")
    await redis_client.incr(keyspace.accounts_version())

    answer = await put(api, account, {"paused": True})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "owners_terms")
    assert (await api.get(f"/api/accounts/{account}/terms")).json()["owner"] == "own_1"


async def test_a_share_that_is_reached_is_told(
    api: httpx.AsyncClient, account: str, redis_client: Redis
) -> None:
    answer = await put(api, account, {"reserved_percent": {"weekly": 40}})
    assert answer.json()["closed"] == {"term": "reading", "until": 0}

    window = SeenWindow(minutes=10_080, used_percent=60, resets_at=NOW + 900)
    families = (SeenFamily(id="codex", windows=(window,), seen_at=NOW),)
    await QuotaStore(redis_client).keep(
        {account: lambda _: SeenQuota(seen_at=NOW, families=families)}
    )

    told = (await api.get(f"/api/accounts/{account}/terms")).json()
    assert told["closed"] == {"term": "share", "until": NOW + 900}


async def test_terms_that_cannot_be_read_are_told_and_can_be_replaced(
    api: httpx.AsyncClient, account: str, redis_client: Redis
) -> None:
    await redis_client.hset(keyspace.account(account), "terms", '{"hours": 7}')
    told = (await api.get(f"/api/accounts/{account}/terms")).json()
    assert (told["unreadable"], told["terms"]) == (True, NONE)
    assert told["closed"] == {"term": "unreadable", "until": 0}

    answer = await put(api, account, {})

    assert answer.json()["closed"] is None
    assert not answer.json()["unreadable"]
