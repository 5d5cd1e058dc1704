"""`codex-proapi keys …`: create, list, show, change, rotate, revoke, remove."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from codex_proapi.commons.accounts.one_line import MOST_NAME, is_name
from codex_proapi.commons.api_keys.limits import Limits
from codex_proapi.commons.api_keys.model_fallbacks import pairs_of
from codex_proapi.commons.api_keys.small_work import WorkClass, unknown_classes
from codex_proapi.commons.api_keys.store import ApiKey, KeyStore
from codex_proapi.commons.cluster.live_settings import LiveSettingsStore
from codex_proapi.commons.cluster.replicas import ReplicaStore
from codex_proapi.commons.prices.price_table import dollars
from codex_proapi.commons.usage.calendar import Calendar
from codex_proapi.console.accounts.model_names import ModelNames, names_in_force
from codex_proapi.console.accounts.models_seen import offered_by
from codex_proapi.console.api.keys import (
    MOST_OVERLAP,
    KeyList,
    MadeKey,
    audit_value,
    key_body,
)
from codex_proapi.console.cli.key_options import LIMITS, MONEY, Span, facts_of, key_options
from codex_proapi.console.cli.opened_store import OpenedStore, with_store
from codex_proapi.console.cli.terminal.json_output import json_option, print_json
from codex_proapi.console.cli.terminal.tables import plain, show_table
from codex_proapi.console.cli.terminal.times import heading, moment, told


@click.group()
def keys() -> None:
    """The API keys clients may use."""


@keys.command("create")
@click.argument("name")
@key_options
@json_option
@click.pass_obj
def create(environ: Mapping[str, str], /, name: str, *, as_json: bool, **provided: Any) -> None:
    """Create a key called NAME; it is shown this once, on standard output."""
    check_name(name)
    now = time.time()

    async def make(store: OpenedStore) -> tuple[ApiKey, str]:
        await _check_models(store, provided)
        named = await _accounts_named(store, provided)
        facts = facts_of(named, now=now, limits=Limits(), calendar=store.calendar)
        key, secret = await store.keys.create(name.strip(), created_at=int(now), **facts)
        after = {"name": key.name, "owner": key.owner, "expires_at": key.expires_at}
        await store.note("key.made", key_id=key.id, after=after)
        return key, secret

    (key, secret), calendar = with_store(environ, make)
    _show_secret(key, secret, calendar, as_json=as_json)
    if not as_json:
        click.echo(f"created {key.id}; from now on no request is served without a key", err=True)


@keys.command("list")
@json_option
@click.pass_obj
def list_keys(environ: Mapping[str, str], *, as_json: bool) -> None:
    """Every key, without the key itself."""
    found, calendar = with_store(environ, lambda store: store.keys.list())
    now = time.time()
    if as_json:
        return print_json(KeyList(keys=[key_body(key, now=now) for key in found]), calendar)
    if not found:
        return print("no keys yet; `codex-proapi keys create NAME` makes one")
    times = (heading("CREATED", calendar), heading("LAST USED", calendar))
    columns = ("ID", "NAME", "OWNER", "BEGINS", "STATE", *times, "LIMITS", "GROUP")
    return show_table(columns, [_row(key, calendar) for key in found])


@keys.command("show")
@click.argument("key")
@json_option
@click.pass_obj
def show(environ: Mapping[str, str], key: str, *, as_json: bool) -> None:
    """All there is to know of KEY (id or name)."""
    found = with_store(environ, lambda store: _meant(store.keys, key, revoked=True))
    _show(*found, as_json=as_json)


@keys.command("change")
@click.argument("key")
@click.option("--name", help="What it is called from now on.")
@key_options
@json_option
@click.pass_obj
def change(
    environ: Mapping[str, str], /, key: str, *, name: str | None, as_json: bool, **provided: Any
) -> None:
    """Change KEY (id or name); what is not named stays. It holds with the next request."""

    async def patch(store: OpenedStore) -> ApiKey:
        meant = await _meant(store.keys, key)
        await _check_models(store, provided, meant)
        named = await _accounts_named(store, provided)
        facts = facts_of(named, now=time.time(), limits=meant.limits, calendar=store.calendar)
        if name is not None:
            check_name(name)
            facts["name"] = name.strip()
        if not facts:
            raise click.UsageError("nothing to change is named; see `keys change --help`")
        changed = await store.keys.patch(meant.id, **facts) or meant
        before, after = (
            {name: audit_value(getattr(key, name)) for name in facts} for key in (meant, changed)
        )
        await store.note("key.changed", key_id=meant.id, before=before, after=after)
        return changed

    _show(*with_store(environ, patch), as_json=as_json)


@keys.command("rotate")
@click.argument("key")
@click.option("--overlap", type=Span(), default=0, help="How long the old secret works on: `24h`.")
@json_option
@click.pass_obj
def rotate(environ: Mapping[str, str], key: str, *, overlap: int, as_json: bool) -> None:
    """Give KEY (id or name) another secret, shown this once; all else stays."""
    if overlap > MOST_OVERLAP:
        raise click.BadParameter("30d at most", param_hint="--overlap")

    async def renew(store: OpenedStore) -> tuple[ApiKey, str]:
        meant = await _meant(store.keys, key)
        secret = await store.keys.rotate(meant.id, overlap=overlap)
        await store.note("key.rotated", key_id=meant.id, after={"overlap_seconds": overlap})
        return await store.keys.get(meant.id) or meant, secret or ""

    (rotated, secret), calendar = with_store(environ, renew)
    _show_secret(rotated, secret, calendar, as_json=as_json)
    if not as_json:
        end = told(int(time.time()) + overlap, calendar)
        until = f"works until {end}" if overlap else "works no more"
        click.echo(f"rotated {rotated.name} ({rotated.id}); the old secret {until}", err=True)


@keys.command("revoke")
@click.argument("key")
@json_option
@click.pass_obj
def revoke(environ: Mapping[str, str], key: str, *, as_json: bool) -> None:
    """Take KEY (id or name) back, everywhere within two seconds; answers under way end."""

    async def take(store: OpenedStore) -> ApiKey:
        meant = await _meant(store.keys, key)
        await store.keys.revoke(meant.id)
        before = {"name": meant.name, "prefix": meant.prefix}
        await store.note("key.revoked", key_id=meant.id, before=before)
        return await store.keys.get(meant.id) or meant

    taken, calendar = with_store(environ, take)
    if as_json:
        return print_json(key_body(taken, now=time.time()), calendar)
    return print(plain(f"revoked {taken.name} ({taken.id})"))


@keys.command("remove")
@click.argument("key")
@json_option
@click.pass_obj
def remove(environ: Mapping[str, str], key: str, *, as_json: bool) -> None:
    """Revoke KEY (id or name) and forget it; its usage stays."""

    async def forget(store: OpenedStore) -> ApiKey:
        meant = await _meant(store.keys, key, revoked=True)
        await store.keys.remove(meant.id)
        before = {"name": meant.name, "prefix": meant.prefix}
        await store.note("key.removed", key_id=meant.id, before=before)
        return meant

    gone, calendar = with_store(environ, forget)
    if as_json:
        return print_json(key_body(gone, now=time.time()), calendar)
    return print(plain(f"removed {gone.name} ({gone.id})"))


def check_name(name: str) -> None:
    """Refuse a name that the console would refuse; click.BadParameter."""
    if not is_name(name):
        told = f"a key needs a name, of {MOST_NAME} characters at most, in one line"
        raise click.BadParameter(told, param_hint="NAME")


async def _accounts_named(store: OpenedStore, provided: dict[str, Any]) -> dict[str, Any]:
    """What is given, with the accounts by id that are named by id or name."""
    wanted = provided["accounts"]
    if not wanted or "all" in wanted:
        return provided
    known = {account.id: account.name for account in await store.accounts.list()}
    meant = []
    for each in wanted:
        found = [account_id for account_id, name in known.items() if each in {account_id, name}]
        if len(found) != 1:
            told = f"may be any of {', '.join(found)}" if found else "is no account"
            raise click.ClickException(f"{each} {told}; see `accounts list`")
        meant += found
    return provided | {"accounts": tuple(meant)}


async def _check_models(
    store: OpenedStore, provided: Mapping[str, Any], before: ApiKey | None = None
) -> None:
    """Refuse a model that nobody offers, by the rule of the console's API."""
    models = [name for name in provided["models"] if name != "all"]
    default = provided["default_model"] or ""
    fallbacks = pairs_of(provided["model_fallbacks"] or "")
    small = pairs_of(provided["small_work_models"] or "")
    for work in unknown_classes(small):
        classes = ", ".join(WorkClass)
        raise click.ClickException(f"{work} is no class of small work; there are {classes}")
    if not models and not default and not fallbacks and not small:
        return
    live = await LiveSettingsStore(store.redis).read()
    known = names_in_force(live, await ReplicaStore(store.redis).all())
    seen = await offered_by(store.redis, store.accounts)
    names = ModelNames(seen, aliases=known.aliases, complete=known.complete)
    kept = (*before.allowed_models, before.default_model) if before else ()
    _, unknown = names.unknown_of_key(models, default, kept=kept)
    unknown = unknown or names.unknown_of_fallbacks(fallbacks)[1]
    unknown = unknown or names.unknown_of_small_work(small)[1]
    if unknown:
        raise click.ClickException(names.told(unknown))


async def _meant(store: KeyStore, wanted: str, *, revoked: bool = False) -> ApiKey:
    """The key with an id or name; revoked keys are found by name only if allowed."""
    known = await store.list()
    meant = [k for k in known if wanted == k.id or (wanted == k.name and not k.revoked)]
    if not meant and revoked:
        meant = [k for k in known if wanted == k.name]
    if not meant:
        raise click.ClickException(f"no key is called {wanted}; see `keys list`")
    if len(meant) > 1:
        ids = ", ".join(key.id for key in meant)
        raise click.ClickException(f"{wanted} may be any of {ids}; say which")
    if meant[0].revoked and not revoked:
        raise click.ClickException(f"{meant[0].name} ({meant[0].id}) is revoked")
    return meant[0]


def _show_secret(key: ApiKey, secret: str, calendar: Calendar, *, as_json: bool) -> None:
    if as_json:
        print_json(MadeKey(key=key_body(key, now=time.time()), secret=secret), calendar)
    else:
        print(secret)


def _show(key: ApiKey, calendar: Calendar, *, as_json: bool) -> None:
    if as_json:
        return print_json(key_body(key, now=time.time()), calendar)
    facts = (
        ("id", key.id),
        ("name", key.name),
        ("owner", key.owner),
        ("group", key.group),
        ("begins", f"{key.prefix}…"),
        ("state", _state(key)),
        ("created", told(key.created_at, calendar)),
        ("last used", told(key.last_used_at, calendar)),
        ("ends", told(key.expires_at, calendar) or "never"),
        ("models", ", ".join(key.allowed_models) or "all"),
        ("accounts", ", ".join(key.allowed_accounts) or "all"),
        ("default model", key.default_model),
        ("default effort", key.default_effort),
        ("reasoning summary", key.reasoning_summary),
        ("highest effort", key.max_effort),
        ("fast tier", key.fast_tier),
        ("model fallbacks", key.model_fallbacks),
        ("small work", key.small_work_models),
        ("weight", f"{key.weight:g}"),
        ("limits", _limits(key)),
    )
    return show_table(("WHAT", "VALUE"), [(name, value) for name, value in facts if value])


def _row(key: ApiKey, calendar: Calendar) -> Sequence[str]:
    times = (moment(key.created_at, calendar), moment(key.last_used_at, calendar))
    facts = (key.id, key.name, key.owner, f"{key.prefix}…", _state(key))
    return (*facts, *times, _limits(key), key.group)


def _limits(key: ApiKey) -> str:
    """The limits that are set, by the names of their options."""
    counts = [(name, getattr(key.limits, name)) for name, _ in LIMITS]
    amounts = [(name, getattr(key.limits, f"micro_{name}")) for name, _ in MONEY]
    told = [(name, str(value)) for name, value in counts if value]
    told += [(name, dollars(value).removeprefix("$")) for name, value in amounts if value]
    return ", ".join(f"{name.replace('_', '-')} {value}" for name, value in told)


def _state(key: ApiKey) -> str:
    if key.revoked:
        return "revoked"
    return "expired" if key.expired(time.time()) else "active"
