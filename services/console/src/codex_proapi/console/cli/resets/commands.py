"""`codex-proapi accounts resets` and `accounts redeem-reset`: saved resets from the command line."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping

import rich_click as click

from codex_proapi.commons.accounts.cooldowns import CooldownStore
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.cli.accounts import meant_account
from codex_proapi.console.cli.opened_store import ACTOR, OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.questions import confirm
from codex_proapi.console.cli.terminal.silence import without_log
from codex_proapi.console.cli.terminal.tables import explain, plain, show_table
from codex_proapi.console.cli.terminal.times import heading, moment
from codex_proapi.console.cli.upstream.login import PLACEHOLDER
from codex_proapi.console.cli.upstream.login import READ as READ_FOR_LOGIN
from codex_proapi.console.errors import ConsoleError
from codex_proapi.console.resets.backend_calls import SECONDS, ResetCalls
from codex_proapi.console.resets.known_resets import KnownReset, KnownResets
from codex_proapi.console.resets.redeeming import DoneRedemption, Resets
from codex_proapi.console.resets.reset_store import ResetStore
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.version import own_version

READ = (*READ_FOR_LOGIN, "CODEX_BASE_URL")
"""The settings of the way to OpenAI; no other one can be wrong here."""


@click.command("resets")
@click.argument("account")
@json_option
@click.pass_obj
def list_resets(environ: Mapping[str, str], account: str, *, as_json: bool) -> None:
    """The saved resets of ACCOUNT (id, name or e-mail), read from OpenAI now.

    The soonest to expire first.
    """

    async def read(store: OpenedStore) -> KnownResets:
        async with opened_resets(environ, store) as resets:
            return await resets.list(await meant_account(store.accounts, account))

    with _explained():
        found, calendar = with_store(environ, read)
    if as_json:
        return print_json(found, calendar)
    if not found.resets:
        return print("there is none")
    rows = [(each.id, _state(each), moment(each.expires_at, calendar)) for each in found.resets]
    return show_table(("ID", "STATE", heading("LOST", calendar)), rows)


@click.command("redeem-reset")
@click.argument("account")
@click.argument("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def redeem_reset(
    environ: Mapping[str, str], account: str, reset: str, *, yes: bool, as_json: bool
) -> None:
    """Redeem RESET, an id that `accounts resets` shows, of ACCOUNT (id, name or e-mail).

    The account's windows are empty afterwards, and the reset is gone. Where OpenAI does not confirm
    it, the same command again repeats the same request: it is redeemed once.
    """
    if not yes:
        confirm(plain(f"Redeem {reset} of {account}? It is gone then."), option="--yes")

    async def redeem(store: OpenedStore) -> DoneRedemption:
        meant = await meant_account(store.accounts, account)
        async with opened_resets(environ, store) as resets:
            try:
                done = await resets.redeem(meant, reset, by=ACTOR)
            except ConsoleError as error:
                after = {"reset": reset}
                code = error.code.value
                await store.note("account.reset_failed", account=meant.id, code=code, after=after)
                raise
        if done.first:
            facts = {"reset": reset, "request": done.request_id, "windows": done.windows}
            await store.note("account.reset_redeemed", account=meant.id, after=facts)
        return done

    with _explained():
        done, calendar = with_store(environ, redeem)
    if as_json:
        return print_json(done, calendar)
    told = "redeemed before" if done.repeated and not done.first else "redeemed"
    return print(plain(f"{told}: the windows of {account} are reset"))


@contextlib.asynccontextmanager
async def opened_resets(environ: Mapping[str, str], store: OpenedStore) -> AsyncIterator[Resets]:
    """Saved resets by the settings of an environment, over an opened store."""
    provided = {name: environ[name] for name in READ if environ.get(name)}
    settings = from_environ(ConsoleSettings, provided | PLACEHOLDER)
    identity = Identity(
        originator=settings.codex_originator,
        version=settings.codex_client_version,
        product_version=own_version(),
    )
    async with http_client(settings.proxy_rules, timeout=SECONDS) as http:
        endpoint = TokenEndpoint(
            http,
            issuer=settings.codex_auth_url,
            client_id=settings.codex_client_id,
            identity=identity.headers,
        )
        refresher = CredentialRefresher(store.accounts, endpoint, store.redis, clock=time.time)
        try:
            yield Resets(
                ResetCalls(http, refresher, base_url=settings.codex_base_url, identity=identity),
                ResetStore(store.redis),
                cooldowns=CooldownStore(store.redis),
                quotas=QuotaStore(store.redis),
                clock=time.time,
            )
        finally:
            await refresher.close()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Errors of the console and of credentials as ones of the command; nothing is logged."""
    try:
        with without_log():
            yield
    except ConsoleError as wrong:
        raise click.ClickException(explain(wrong.code)) from None
    except CredentialUnavailable as wrong:
        raise click.ClickException(str(wrong)) from None


def _state(reset: KnownReset) -> str:
    if reset.pending:
        return "not confirmed: redeem it again"
    if reset.usable:
        return "available"
    return "redeemed" if reset.redeemed_at else reset.status or "unknown"
