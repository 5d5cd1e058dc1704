"""Commons holds what two members use themselves, and nothing that one of them could own."""

import pytest
from support.tree import imports_of, modules

EXCEPTIONS: dict[str, str] = {
    "codex": "all that is known of the backend has one place, whoever asks for it first",
    "balancing": "pure decisions of the gateway that `replay` and the weeks of the tests repeat",
    "cluster": "what a process checks at its start is asked for as one, by `store_check`",
    "http": "one server for both services; its parts serve each other",
    "redis": "the client's parts serve each other; nobody asks for them one by one",
    "connections": "one way out for both services; its parts serve each other",
    "proxy": "the addresses and the handshake that `connections` has, and settings read",
    "owner_terms": "pure: what an owner says, and what follows of it; its parts serve each other",
    "usage.sums": "the pure half of the counters, which both services use",
    "accounts.view": "the cache of the store, which alone knows what it reads and decrypts",
    "accounts.one_line": "a part of the store, whose rule the console's names and previews follow",
    "accounts.refresh_pace": "a part of the refresher, which both services use",
    "accounts.renewed_credentials": "a part of the refresher, which both services use",
}
"""Packages, and modules, that are held together by something else than their users, with the reason."""


def _direct_users(name: str) -> set[str]:
    """Members, and packages of commons other than its own, that import a module themselves."""
    users = set()
    for other, path in modules():
        if name in imports_of(path):
            member, package = other.split(".")[1:3] if other.count(".") > 1 else (other, "")
            users.add(f"commons.{package}" if member == "commons" else member)
    return users - {f"commons.{name.split('.')[2]}"}


@pytest.mark.parametrize("name", [n for n, p in modules("commons") if p.stem != "__init__"])
def test_a_module_of_commons_has_two_users(name: str) -> None:
    package, module = name.split(".")[2], ".".join(name.split(".")[2:])
    if reason := EXCEPTIONS.get(package) or EXCEPTIONS.get(module):
        pytest.skip(reason)

    assert len(_direct_users(name)) >= 2
