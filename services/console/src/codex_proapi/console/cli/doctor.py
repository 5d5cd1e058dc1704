"""`codex-proapi doctor`: what is wrong with an installation, each with what to do."""

import asyncio
import email.utils
import enum
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec
import rich_click as click

from codex_proapi.commons.accounts.model import AccountState
from codex_proapi.commons.redis.clients import ask, text
from codex_proapi.commons.runtime.errors import SettingsError, StoreRefused, StoreUnavailable
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.commons.runtime.tls import client_context
from codex_proapi.console.cli.opened_store import OpenedStore, opened
from codex_proapi.console.cli.tables import plain
from codex_proapi.console.settings import ConsoleSettings

UPSTREAM = ("CODEX_BASE_URL", "CODEX_AUTH_URL")
SECONDS_APART = 5.0
"""Clocks further apart make tokens and leases end at the wrong time."""
FULL_SHARE = 0.8
"""Share of Redis' maxmemory from which it is worth a word."""
TIMEOUT = 10.0
"""Seconds for one look at a server of OpenAI."""


class Verdict(enum.StrEnum):
    """How a check went."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one check found."""

    verdict: Verdict
    check: str
    found: str
    cure: str = ""
    """What to do; empty where nothing is to be done."""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_obj
def doctor_command(environ: Mapping[str, str], *, as_json: bool) -> int:
    """Look at Redis, encryption keys, clock, accounts, gateways and the way to OpenAI.

    Changes nothing. Ends with 1 if something fails.
    """
    findings = asyncio.run(_examine(environ))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(findings)).decode())
    for finding in () if as_json else findings:
        print(plain(f"{finding.verdict:<4}  {finding.check}: {finding.found}"))
        if finding.cure:
            print(plain(f"      -> {finding.cure}"))
    return int(any(finding.verdict is Verdict.FAIL for finding in findings))


async def _examine(environ: Mapping[str, str]) -> list[Finding]:
    findings = [finding async for finding in _store(environ)]
    return findings + [finding async for finding in _upstream(environ)]


async def _store(environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """What is wrong with Redis and what is in it."""
    try:
        async with opened(environ, any_keys=True) as store:
            yield _ok("settings", "REDIS_URL and ENCRYPTION_KEYS can be read")
            for finding in await _redis(store):
                yield finding
            yield await _keys_fit(store)
            for finding in await _contents(store):
                yield finding
    except SettingsError as error:
        for fault in error.faults:
            yield _fail("settings", fault, "set it as the gateways and consoles have it")
    except StoreUnavailable as error:
        yield _fail(
            "redis", str(error), "check that it runs, what REDIS_URL says, and its password"
        )


async def _redis(store: OpenedStore) -> list[Finding]:
    info: dict[str, Any] = await ask(store.redis.info)
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "?")
    found = [_ok("redis", f"{name} {version} answers")]
    if int(version.partition(".")[0] or 0) < 7:  # noqa: PLR2004 - the oldest supported
        found[0] = _fail("redis", f"{name} {version} answers", "upgrade to Redis 7 or Valkey 8")
    if not int(info.get("aof_enabled", 0)):
        cure = "switch on appendonly: a refreshed token that is lost is an account that must sign in again"
        found.append(_warn("persistence", "the append-only file is off", cure))
    policy, most = str(info.get("maxmemory_policy", "")), int(info.get("maxmemory", 0))
    if policy not in {"", "noeviction"}:
        found.append(
            _fail(
                "memory",
                f"maxmemory-policy is {policy}",
                "set it to noeviction: nothing of ours may go",
            )
        )
    elif most and int(info.get("used_memory", 0)) > FULL_SHARE * most:
        share = 100 * int(info["used_memory"]) // most
        found.append(
            _warn(
                "memory",
                f"{share} % of maxmemory are used",
                "raise maxmemory, or keep usage for fewer days",
            )
        )
    apart = abs(await store.replicas.now() - time.time())
    found.append(
        _ok("clock", "Redis and this machine agree")
        if apart < SECONDS_APART
        else _warn("clock", f"Redis and this machine are {apart:.0f} s apart", "let NTP set both")
    )
    return found


async def _keys_fit(store: OpenedStore) -> Finding:
    try:
        await store.check.check()
    except StoreRefused as refused:
        return _fail("encryption keys", str(refused), "see above")
    return _ok("encryption keys", "they open what is stored")


async def _contents(store: OpenedStore) -> list[Finding]:
    accounts = await store.accounts.list()
    active = [a for a in accounts if a.state is AccountState.ACTIVE and not a.paused]
    lost = [a for a in accounts if a.state is AccountState.REVOKED]
    found = [_ok("accounts", f"{len(active)} of {len(accounts)} active")]
    if not accounts:
        found = [
            _warn(
                "accounts", "none yet", "add one in the console, or `codex-proapi accounts import`"
            )
        ]
    elif not active:
        found = [
            _fail(
                "accounts", f"none of {len(accounts)} is active", "resume one or sign one in again"
            )
        ]
    if lost:
        names = ", ".join(account.name or account.id for account in lost[:5])
        found.append(
            _warn(
                "accounts",
                f"{len(lost)} must sign in again: {names}",
                "sign in again in the console",
            )
        )
    gateways = [r for r in await store.replicas.all() if r.service == "gateway"]
    versions = sorted({text(replica.version) for replica in gateways})
    if not gateways:
        found.append(
            _warn(
                "gateways", "none is running", "start one: `codex-proapi serve`, or your deployment"
            )
        )
    elif len(versions) > 1:
        found.append(
            _warn(
                "gateways", f"versions {', '.join(versions)} run side by side", "finish the upgrade"
            )
        )
    else:
        found.append(_ok("gateways", f"{len(gateways)} running, version {versions[0]}"))
    return found


async def _upstream(environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Whether OpenAI's servers can be reached from here."""
    provided = {name: environ[name] for name in UPSTREAM if environ.get(name)}
    placeholder = {"ENCRYPTION_KEYS": "A" * 43 + "="}  # no key is needed to look at an address
    try:
        settings = from_environ(ConsoleSettings, {**provided, **placeholder})
    except SettingsError as error:
        for fault in error.faults:
            yield _fail("settings", fault, "correct it")
        return
    client = httpx.AsyncClient(verify=client_context(), trust_env=False, timeout=TIMEOUT)
    async with client:
        for name, url in (
            ("backend", settings.codex_base_url),
            ("sign-in server", settings.codex_auth_url),
        ):
            yield await _reached(client, name, url)


async def _reached(client: httpx.AsyncClient, name: str, url: str) -> Finding:
    host = httpx.URL(url).host
    try:
        answer = await client.get(url)
    except httpx.HTTPError as error:
        cure = f"check DNS, firewall and TLS of the way to {host}; a proxy has to be transparent"
        return _fail(name, f"{host} cannot be reached ({type(error).__name__})", cure)
    date = (
        email.utils.parsedate_to_datetime(answer.headers["date"])
        if "date" in answer.headers
        else None
    )
    if date is not None and abs(date.timestamp() - time.time()) > 12 * SECONDS_APART:
        return _warn(name, f"{host} has another time than this machine", "let NTP set the clock")
    return _ok(name, f"{host} answers")


def _ok(check: str, found: str) -> Finding:
    return Finding(verdict=Verdict.OK, check=check, found=found)


def _warn(check: str, found: str, cure: str) -> Finding:
    return Finding(verdict=Verdict.WARN, check=check, found=found, cure=cure)


def _fail(check: str, found: str, cure: str) -> Finding:
    return Finding(verdict=Verdict.FAIL, check=check, found=found, cure=cure)
