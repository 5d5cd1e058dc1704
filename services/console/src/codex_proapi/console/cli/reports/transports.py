"""The part of `doctor` that asks an account by POST and over WebSocket in turn, and compares."""

import time
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec
import rich_click as click

from codex_proapi.commons.accounts.kinds import kind_of
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.accounts.quota_store import QuotaStore
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.codex.endpoints import models_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.token_endpoint import TokenEndpoint
from codex_proapi.commons.connections.http_client import http_client
from codex_proapi.commons.owner_terms.closing import WORDS
from codex_proapi.commons.runtime.errors import CredentialUnavailable
from codex_proapi.commons.runtime.settings import from_environ
from codex_proapi.console.accounts.closed_accounts import closed_by_owner
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.reports.machine_checks import UPSTREAM
from codex_proapi.console.cli.terminal.json_output import print_json
from codex_proapi.console.cli.terminal.questions import confirm
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.connection.comparison import Comparison, Transport, Turn, comparison_of
from codex_proapi.console.connection.turns import Turns
from codex_proapi.console.settings import ConsoleSettings
from codex_proapi.console.version import own_version

SETTINGS: Final = (
    *UPSTREAM,
    *("CODEX_CLIENT_ID", "CODEX_CLIENT_VERSION", "CODEX_ORIGINATOR"),
)
SECONDS: Final = 20.0
"""For the list of models, and for a refresh."""


def compare_transports(
    environ: Mapping[str, str], account_id: str, *, model: str, turns: int, agreed: bool
) -> Comparison:
    """Ask an account `turns` times each way, in turn, after the person has agreed.

    Raises ClickException where that is not possible.
    """
    if not agreed:
        question = (
            f"Ask {account_id} {2 * turns} times? It costs the quota of as many short answers."
        )
        confirm(question, option="--yes")
    provided = {name: environ[name] for name in SETTINGS if environ.get(name)}
    placeholder = {"ENCRYPTION_KEYS": "A" * 43 + "="}
    settings = from_environ(ConsoleSettings, provided | placeholder)

    async def compare(store: OpenedStore) -> Comparison:
        account = await store.accounts.get(account_id)
        if account is None:
            raise click.ClickException(f"there is no account {account_id}")
        quota = (await QuotaStore(store.redis).all([account.id])).get(account.id)
        if (closed := closed_by_owner(account, quota, now=time.time())) is not None:
            raise click.ClickException(f"{account_id} is {WORDS[closed.term]}: it is not asked")
        async with http_client(settings.proxy_rules, timeout=SECONDS) as http:
            asked = _Asked(store, account, http, settings)
            try:
                return await asked.compare(model, turns=turns)
            except (CredentialUnavailable, httpx.HTTPError) as error:
                said = str(error) or type(error).__name__
                raise click.ClickException(f"{account_id} cannot be asked: {said}") from None

    found, _ = with_store(environ, compare)
    return found


def show_comparison(found: Comparison, *, as_json: bool) -> None:
    """Print the table and the recommendation."""
    if as_json:
        return print_json(found)
    show_table(
        ("TRANSPORT", "TURNS", "FAILED", "HANDSHAKE P50", "FIRST P50", "FIRST P90", "TOTAL P50", "TOTAL P90"),
        [
            (
                *(each.transport.value, str(each.turns), _failed(each.failed, each.faults)),
                *(_seconds(each.connected_p50), _seconds(each.first_p50), _seconds(each.first_p90)),
                *(_seconds(each.total_p50), _seconds(each.total_p90)),
            )
            for each in found.transports
        ],
    )  # fmt: skip
    print(plain(f"\n{found.model}: {found.reason}"))
    if found.recommended:
        print(f"-> UPSTREAM_TRANSPORT={found.recommended}")
    return None


class _Asked:
    """One account that is asked."""

    def __init__(
        self,
        store: OpenedStore,
        account: Account,
        http: httpx.AsyncClient,
        settings: ConsoleSettings,
    ) -> None:
        self._account, self._http, self._settings = account, http, settings
        self._identity = Identity(
            originator=settings.codex_originator,
            version=settings.codex_client_version,
            product_version=own_version(),
        )
        endpoint = TokenEndpoint(
            http,
            issuer=settings.codex_auth_url,
            client_id=settings.codex_client_id,
            identity=self._identity.headers,
        )
        self._refresher = CredentialRefresher(
            store.accounts, endpoint, store.redis, clock=time.time, hook=_nothing
        )

    async def compare(self, wanted: str, *, turns: int) -> Comparison:
        """Ask in turn, and begin with the other one each time: no order favours one of them."""
        model, lite = await self._model(wanted)
        asking = Turns(
            self._http,
            self._headers,
            base_url=self._settings.codex_base_url,
            model=model,
            lite=lite,
            rules=self._settings.proxy_rules,
        )
        taken: list[Turn] = []
        for number in range(turns):
            order = tuple(Transport) if number % 2 == 0 else tuple(reversed(Transport))
            taken += [await asking.take(transport) for transport in order]
        await self._refresher.close()
        return comparison_of(model, taken)

    async def _headers(self) -> dict[str, str]:
        credential: Credential = await self._refresher.fresh(self._account.id)
        return dict(kind_of(self._account).headers(self._identity, self._account, credential))

    async def _model(self, wanted: str) -> tuple[str, bool]:
        """The model to ask, the first that is listed if none is wanted; and whether it is a lite one."""
        url = models_url(self._settings.codex_base_url, self._identity.version)
        answer = await self._http.get(url, headers=await self._headers())
        rows = _rows(answer.content) if answer.status_code == httpx.codes.OK else []
        found = [row for row in rows if not wanted or row.slug == wanted]
        if not found:
            raise click.ClickException(
                f"{self._account.id} does not list {wanted or 'any model'} ({answer.status_code})"
            )
        return found[0].slug, found[0].use_responses_lite


class _Row(msgspec.Struct):
    slug: str = ""
    visibility: str = "list"
    priority: float = float("inf")
    use_responses_lite: bool = False


class _Models(msgspec.Struct):
    models: list[_Row] = []


def _rows(body: bytes) -> list[_Row]:
    try:
        found = msgspec.json.decode(body, type=_Models)
    except msgspec.MsgspecError:
        return []
    listed = [row for row in found.models if row.slug and row.visibility == "list"]
    return sorted(listed, key=lambda row: row.priority)


def _failed(count: int, faults: Mapping[str, int]) -> str:
    told = ", ".join(f"{name} {times}" for name, times in sorted(faults.items()))
    return f"{count} ({told})" if told else str(count)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value else "-"


def _nothing(_account: str, _outcome: str) -> None:
    """Nobody counts refreshes here."""
