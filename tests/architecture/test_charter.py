"""Commons holds what two members use themselves, and nothing that one of them could own."""

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


def _users() -> dict[str, set[str]]:
    """Modules by name: members that import each themselves, and packages of commons but its own."""
    users: dict[str, set[str]] = {}
    for other, path in modules():
        member, package = other.split(".")[1:3] if other.count(".") > 1 else (other, "")
        user = f"commons.{package}" if member == "commons" else member
        for name in imports_of(path):
            users.setdefault(name, set()).add(user)
    return users


def test_a_module_of_commons_has_two_users() -> None:
    users = _users()
    own = [name for name, path in modules("commons") if path.stem != "__init__"]
    lonely = [
        name for name in own if len(users.get(name, set()) - {f"commons.{name.split('.')[2]}"}) < 2
    ]

    assert [name for name in lonely if not _excepted(name)] == []


def _excepted(name: str) -> bool:
    """Whether a module, or its package, is one of the exceptions."""
    _, _, package, *_ = name.split(".")
    return package in EXCEPTIONS or name.removeprefix("codex_proapi.commons.") in EXCEPTIONS
