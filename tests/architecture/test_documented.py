"""The tables of the documentation are true: every name is there, and none that does not exist."""

import inspect
import re

from support.tree import ROOT

from commons import redis_keys


def _table(name: str) -> set[str]:
    """Names in backticks in the first column of every table of a page."""
    page = (ROOT / "docs" / name).read_text()
    return set(re.findall(r"^\| `([^`]+)`", page, flags=re.MULTILINE))


def _redis_keys() -> set[str]:
    """Every key as its function writes it, with its parameters in angle brackets."""
    made = set()
    for _, function in inspect.getmembers(redis_keys, inspect.isfunction):
        names = list(inspect.signature(function).parameters)
        made.add(function(*(f"<{name.removesuffix('_id')}>" for name in names)))
    return {key.removeprefix(f"{redis_keys.TAG}:") for key in made}


def test_every_redis_key_is_documented() -> None:
    assert _table("redis.md") == _redis_keys()
