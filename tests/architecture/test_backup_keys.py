"""Every key of Redis is in a backup, or left out on purpose."""

import inspect

from codex_proapi.commons.redis import keyspace, operator_keys
from codex_proapi.console.cli.archive.store_records import LASTING, PASSING


def test_every_key_is_in_a_backup_or_left_out_on_purpose() -> None:
    names = set()
    modules = (keyspace, operator_keys)
    for _, make in (each for m in modules for each in inspect.getmembers(m, inspect.isfunction)):
        if make.__module__ in (keyspace.__name__, operator_keys.__name__):
            made = make(*("x" for _ in inspect.signature(make).parameters))
            names.add(made.removeprefix(f"{keyspace.TAG}:").partition(":")[0])

    assert names - LASTING - PASSING == set(), (
        "add it to LASTING or PASSING of cli/archive/store_records.py"
    )
    assert names >= LASTING
    assert not LASTING & PASSING
