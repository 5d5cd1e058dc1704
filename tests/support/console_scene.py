"""A console with data for the page tests: accounts in every state, keys, a day of traffic."""

import functools
import random
from typing import Any

import msgspec
from redis.asyncio import Redis
from support.logins import a_login
from support.redis_clients import patient_twin

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.accounts.model import AccountState, Cooldown, CooldownReason
from codex_proapi.commons.accounts.quota_store import (
    QuotaStore,
    SeenCredits,
    SeenFamily,
    SeenQuota,
    SeenWindow,
)
from codex_proapi.commons.accounts.store import AccountStore
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.store import KeyStore
from codex_proapi.commons.cluster.replicas import Replica, ReplicaStore
from codex_proapi.commons.redis import keyspace
from codex_proapi.commons.usage.exchange_record import AttemptRecord, Ending, ExchangeRecord
from codex_proapi.commons.usage.token_counts import Tokens
from codex_proapi.gateway.accounting.settlement_writer import SettlementWriter

HOUR, DAY = 3600, 86_400
FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
"""An encryption key for tests."""

PEOPLE = (
    ("ada@example.com", "pro", 12.0, 31.0),
    ("grace@example.com", "plus", 64.0, 82.0),
    ("team-build@example.com", "team", 100.0, 71.0),
    ("alan@example.com", "plus", 8.0, 22.0),
    ("edsger@example.com", "free", None, 40.0),
    ("barbara@example.com", "plus", 20.0, 35.0),
)
MODELS = ("gpt-6.1-sol", "gpt-6-astra", "gpt-6-sol", "gpt-5.5")


class Scene:
    """What was put into Redis, by its ids."""

    def __init__(self, redis: Redis, *, now: float) -> None:
        self.redis, self.now = redis, now
        cipher = CredentialCipher((FERNET,))
        self.accounts = AccountStore(redis, cipher)
        self.keys = KeyStore(redis, cipher)
        self.ids: list[str] = []
        self.key_names: dict[str, str] = {}
        self._dice = random.Random(7)

    async def fill(self) -> "Scene":
        """Put everything there."""
        await self.people()
        await self.make_keys()
        await self.traffic()
        await self.gateways()
        return self

    async def people(self) -> None:
        """Six accounts: ready, nearly spent, spent, paused, unknown, signed out."""
        now, quotas = self.now, QuotaStore(self.redis)
        for number, (email, plan, five, week) in enumerate(PEOPLE):
            account = await self.accounts.add(
                a_login(
                    exp=int(now) + 9 * DAY,
                    workspace=f"ws-{number}",
                    email=email,
                    plan=plan,
                    refresh_token=f"rt_{number}",
                    created_at=int(now) - 40 * DAY + number,
                )
            )
            self.ids.append(account.id)
            kept = a_rich_quota if plan == "pro" else a_quota
            await quotas.keep({account.id: functools.partial(kept, now, five, week)})
            await self.redis.set(keyspace.catalogue(account.id), a_catalogue(), ex=DAY)
        await CooldownStore(self.redis).cool(
            self.ids[2],
            Cooldown(
                until=now + 2.5 * HOUR,
                since=now - HOUR,
                reason=CooldownReason.QUOTA,
                code="usage_limit_reached",
            ),
        )
        await self.accounts.pause(self.ids[3])
        await self.accounts.mark(self.ids[5], AccountState.REVOKED, "refresh_token_reused")

    async def make_keys(self) -> None:
        """Three keys: plain, limited, revoked."""
        for name, owner, limits in (
            ("Codex on the laptop", "Ada", Limits()),
            ("CI", "Build team", Limits(rpm=60, tokens_day=2_000_000)),
            ("Old Cursor", "", Limits()),
        ):
            key, _ = await self.keys.create(
                name, owner=owner, limits=limits, created_at=int(self.now) - DAY
            )
            self.key_names[key.id] = name
        await self.keys.revoke(key.id)

    async def traffic(self, count: int = 900) -> None:
        """Some days of requests, most of them today."""
        ages = sorted((self._dice.expovariate(1 / (20 * HOUR)) for _ in range(count)), reverse=True)
        records = [self.record(n, at=self.now - min(age, 6.9 * DAY)) for n, age in enumerate(ages)]
        patient = patient_twin(self.redis)  # hundreds of exchanges may take a busy Redis a second
        try:
            await SettlementWriter(patient).add(records)
        finally:
            await patient.aclose()

    def record(self, number: int, *, at: float, **fields: Any) -> ExchangeRecord:
        """One settled request."""
        dice = self._dice
        account = self.ids[dice.choice((0, 0, 0, 1, 1, 4))] if self.ids else ""
        failed = dice.random() < 0.06
        read = dice.randrange(2_000, 90_000)
        model = dice.choice(MODELS)
        attempts = [
            AttemptRecord(
                account=account,
                verdict="committed",
                choice="affinity",
                why=self.sentence(),
                status=200,
                milliseconds=640,
            )
        ]
        if failed or dice.random() < 0.1:
            first = AttemptRecord(
                account=self.ids[2],
                verdict="next_account",
                choice="round robin",
                status=429,
                code="usage_limit_reached",
                milliseconds=210,
            )
            attempts = [first, msgspec.structs.replace(attempts[0], choice="round robin")]
        if failed:
            attempts[1] = msgspec.structs.replace(
                attempts[1], verdict="give_up", status=503, code="server_is_overloaded"
            )
        provided: dict[str, Any] = {
            "request_id": f"req_{number:024x}",
            "at": at,
            "endpoint": dice.choice(("chat", "responses", "responses")),
            "streamed": True,
            "key_id": dice.choice(list(self.key_names)[:2]) if self.key_names else "",
            "asked_model": model,
            "sent_model": model,
            "answered_model": "" if failed else model,
            "account": account,
            "attempts": tuple(attempts),
            "tokens": Tokens()
            if failed
            else Tokens(
                input=read,
                cached=int(read * dice.uniform(0.6, 0.95)),
                output=dice.randrange(80, 2400),
                reasoning=60,
            ),
            "first_byte_ms": 0 if failed else int(dice.lognormvariate(7.1, 0.4)),
            "total_ms": int(dice.lognormvariate(9.0, 0.5)),
            "ending": Ending.REFUSED if failed else Ending.WHOLE,
            "status": 503 if failed else 200,
            "code": "server_is_overloaded" if failed else "",
            "upstream_request_id": f"oai-{number:08x}",
            **fields,
        }
        provided["key_name"] = self.key_names.get(provided["key_id"], "")
        return ExchangeRecord(**provided)

    def sentence(self) -> str:
        """Why an account was chosen, as the gateway says it."""
        passed_over = f"; {self.ids[2]} cooling until 14:45 UTC (quota)" if self.ids else ""
        return f"cache warm here; 5 h window 12 % used, weekly 31 %{passed_over}"

    async def gateways(self) -> None:
        """Two living gateways with answers under way."""
        store = ReplicaStore(self.redis)
        for number in range(2):
            busy = {self.ids[0]: 2 + number} if self.ids else {}
            replica = Replica(
                id=f"g{number}",
                service="gateway",
                host=f"gw-{number}",
                beat_at=self.now,
                in_flight=busy,
            )
            await store.beat(replica)


def a_quota(
    now: float, five: float | None, week: float, _before: SeenQuota | None = None
) -> SeenQuota:
    """A quota with a weekly window, and a five-hour one where it is given."""
    windows = [SeenWindow(minutes=10_080, used_percent=week, resets_at=int(now + 3.4 * DAY))]
    if five is not None:
        windows.insert(
            0, SeenWindow(minutes=300, used_percent=five, resets_at=int(now + 2.5 * HOUR))
        )
    return SeenQuota(seen_at=now - 40, families=(SeenFamily(id="codex", windows=tuple(windows)),))


def a_rich_quota(
    now: float, five: float | None, week: float, before: SeenQuota | None = None
) -> SeenQuota:
    """The same with a limit of one model's own, bought credits and a spending limit."""
    plain = a_quota(now, five, week, before)
    own = SeenFamily(
        id="codex_astra",
        name="GPT-6-Astra",
        seen_at=now - 40,
        windows=(SeenWindow(minutes=10_080, used_percent=90, resets_at=int(now + 2 * DAY)),),
    )
    return msgspec.structs.replace(
        plain,
        families=(*plain.families, own),
        credits=SeenCredits(has_credits=True, balance="42.50"),
        spending=SeenWindow(minutes=43_200, used_percent=30, resets_at=int(now + 9 * DAY)),
    )


def a_catalogue(*slugs: str) -> bytes:
    """A list of models as the gateway keeps it, shortened."""
    efforts = ("low", "medium", "high", "xhigh")
    body = {
        "models": [
            {
                "slug": slug,
                "display_name": slug.replace("gpt", "GPT").title().replace("Gpt", "GPT"),
                "context_window": 272_000,
                "priority": number,
                "visibility": "list",
                "default_reasoning_level": "medium",
                "supported_reasoning_levels": [{"effort": e, "description": ""} for e in efforts],
            }
            for number, slug in enumerate(slugs or MODELS)
        ]
    }
    return msgspec.json.encode({"at": 1.0, "etag": "x", "body": body})
