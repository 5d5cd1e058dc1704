"""What `restore` and `migrate` do alike: put records into an opened store, and say what came of it."""

import contextlib
from collections.abc import Sequence

import rich_click as click

from codex_proapi.commons.accounts.credential_cipher import CredentialCipher
from codex_proapi.commons.runtime.cipher import Cipher
from codex_proapi.commons.runtime.errors import CommonsError
from codex_proapi.console.cli.archive.file_format import Record
from codex_proapi.console.cli.archive.staged_restore import RestoreFailed, StagedRestore
from codex_proapi.console.cli.archive.store_records import contents, shortfall, tally
from codex_proapi.console.cli.opened_store import OpenedStore
from codex_proapi.console.cli.terminal.json_output import print_json
from codex_proapi.console.cli.terminal.tables import counted

PATIENCE_SECONDS = 60.0
"""How long one command of Redis may take: exchanging everything at once is one."""
TOLD = {
    "accounts": "account",
    "keys": "API key",
    "usage": "usage counter",
    "logs": "log entry",
    "audit": "audit entry",
}
"""What is counted aloud, by kind of name: one of it."""


async def replace_contents(
    store: OpenedStore, records: Sequence[Record], *, source: CredentialCipher, event: str
) -> int:
    """Put the records in the place of everything lasting, all at once, and look whether it is there.

    Args:
        store: The target.
        records: All of a backup, or of another store.
        source: Opens their credentials.
        event: What the audit calls it.

    Returns how many credentials could not be opened. Raises RestoreFailed or StoreUnavailable.
    """
    restore = StagedRestore(store.redis, source=source, target=store.cipher)
    try:
        await restore.stage(records)
    except BaseException:
        with contextlib.suppress(CommonsError):
            await restore.give_up()
        raise
    await restore.publish()
    await store.check.reseal()
    lacking = await shortfall(store.redis, tally(records))
    if lacking:
        told = ", ".join(f"{kind} {have} of {of}" for kind, (have, of) in lacking.items())
        raise RestoreFailed(f"not everything is there afterwards: {told}; do it again")
    await store.note(event, after={"records": len(records)})
    return restore.locked


async def refuse_full(store: OpenedStore) -> None:
    """Raise ClickException where something would be taken away; nothing has changed."""
    held = await contents(store.redis)
    if held:
        told = ", ".join(counted(count, what) for what, count in held.items())
        raise click.ClickException(
            f"nothing was changed: the target has {told} already. --force deletes that"
        )


def show_replaced(
    done: str, records: Sequence[Record], locked: int, *, as_json: bool, note: str = ""
) -> None:
    """Print what was put in place, and how many credentials could not be opened."""
    if not as_json:
        return print(f"{done} {told(records)}{note}")
    counts = dict(sorted(tally(records).items()))
    return print_json({"records": len(records), "entries": counts, "locked_accounts": locked})


def told(records: Sequence[Record]) -> str:
    """What was put in place, in a few words."""
    counts = tally(records)
    named = [counted(counts[kind], one) for kind, one in TOLD.items() if counts[kind]]
    total = counted(len(records), "record")
    return f"{total} ({', '.join(named)})" if named else total


def fail_locked(locked: int) -> None:
    """Raise ClickException where credentials stayed closed; everything else is in place."""
    if locked:
        raise click.ClickException(
            f"{counted(locked, 'account')} could not be opened with the keys given; sign in again"
        )


def keys_in(content: str, *, option: str) -> Sequence[str]:
    """The encryption keys in the text of a file, as `ENCRYPTION_KEYS_FILE` has them."""
    keys = [key.strip() for key in content.split(",") if key.strip()]
    try:
        Cipher(keys)
    except ValueError:
        raise click.BadParameter("no file of encryption keys", param_hint=option) from None
    return keys
