"""`codex-proapi migrate`: everything lasting from this installation's store into another one."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import IO, Any

import rich_click as click

from codex_proapi.commons.runtime.errors import StoreRefused, StoreUnavailable
from codex_proapi.console.cli.archive.file_format import Record
from codex_proapi.console.cli.archive.replacement import (
    PATIENCE_SECONDS,
    fail_locked,
    keys_in,
    refuse_full,
    replace_contents,
    show_replaced,
)
from codex_proapi.console.cli.archive.store_records import lasting_records
from codex_proapi.console.cli.opened_store import OpenedStore, opened
from codex_proapi.console.cli.store_address import address_of
from codex_proapi.console.cli.terminal.json_output import json_option
from codex_proapi.console.cli.terminal.tables import counted


@click.command("migrate")
@click.option("--to-url", metavar="URL", help="REDIS_URL of the target.")
@click.option(
    "--to-url-file",
    type=click.File("r", encoding="utf-8", errors="replace"),
    help="File with it, where it has a password.",
)
@click.option(
    "--to-data-dir",
    type=click.Path(file_okay=False),
    help="DATA_DIR of the target, where it is the embedded store of a machine.",
)
@click.option(
    "--to-keys",
    type=click.File("r", encoding="ascii", errors="replace"),
    help="File with the target's ENCRYPTION_KEYS. An embedded store makes its own.",
)
@click.option("--force", is_flag=True, help="Delete what is in the target, also accounts and keys.")
@click.option("--serving", is_flag=True, help="Also while gateways serve from the source.")
@json_option
@click.pass_obj
def migrate_command(
    environ: Mapping[str, str], /, *, force: bool, serving: bool, as_json: bool, **to: Any
) -> None:
    """Copy accounts, API keys, usage, settings, log and audit into another store.

    From the store that REDIS_URL names (else the embedded one) into any other kind, and back:
    embedded, one Redis, Sentinel, Cluster. Accounts are encrypted again under the target's keys.
    The source stays as it is. In the target everything takes place at once, or nothing does; then
    it is counted. Do not start the source again: a refresh token works once.
    """
    target = _target(**to)
    records, locked = asyncio.run(_migrate(environ, target, force=force, serving=serving))
    note = "; the source is as it was: do not start it again"
    show_replaced("migrated", records, locked, as_json=as_json, note=note)
    fail_locked(locked)


def _target(
    *,
    to_url: str | None,
    to_url_file: IO[str] | None,
    to_data_dir: str | None,
    to_keys: IO[str] | None,
) -> dict[str, str]:
    """The settings of the store that the options name."""
    url = to_url_file.read().strip() if to_url_file else to_url
    if bool(url) == bool(to_data_dir):
        raise click.UsageError("give --to-url (or --to-url-file), or --to-data-dir")
    target = {"REDIS_URL": url} if url else {"DATA_DIR": str(to_data_dir)}
    if to_keys:
        target["ENCRYPTION_KEYS"] = ",".join(keys_in(to_keys.read(), option="--to-keys"))
    elif url:
        raise click.UsageError("give --to-keys: a file with the ENCRYPTION_KEYS of the target")
    return target


async def _migrate(
    environ: Mapping[str, str], target: Mapping[str, str], *, force: bool, serving: bool
) -> tuple[Sequence[Record], int]:
    async with opened(environ, patience=PATIENCE_SECONDS) as source:
        if not serving:
            await _refuse_serving(source)
        records = [record async for record in lasting_records(source.redis)]
        cipher = source.cipher
    try:
        async with opened(target, any_keys=force, patience=PATIENCE_SECONDS) as store:
            if not force:
                await refuse_full(store)
            return records, await replace_contents(
                store, records, source=cipher, event="store.migrated"
            )
    except StoreUnavailable as error:
        raise click.ClickException(
            f"the target, {address_of(target)}: {error}. The source is as it was; do it again"
        ) from None
    except StoreRefused as error:
        raise click.ClickException(f"the target, {address_of(target)}: {error}") from None


async def _refuse_serving(source: OpenedStore) -> None:
    """A login that is renewed during the copy would be spent in the target."""
    gateways = [each for each in await source.replicas.all() if each.service == "gateway"]
    if gateways:
        raise click.ClickException(
            f"from the source {counted(len(gateways), 'gateway')} still"
            f" {'serves' if len(gateways) == 1 else 'serve'} ({gateways[0].host or 'no host'}):"
            " nothing was changed. Stop them first (one that was killed is forgotten after half a"
            " minute): a login they renew meanwhile is spent in the target. --serving goes on"
        )
