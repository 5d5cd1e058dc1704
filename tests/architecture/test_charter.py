"""Commons holds what both services use, and nothing else."""

import pytest
from support.tree import imports_of, modules

# Used by one service only, but facts of both: the reason stands beside each.
EXCEPTIONS: dict[str, str] = {
    "codex_proapi.gateway.pool.snapshot": "reads in one script what the stores of accounts and keys write",
    "codex_proapi.gateway.pool.clock": "learns from the survey; the refresher of both services is given one",
    "codex_proapi.gateway.exchange.stored_responses": "seals with the accounts' cipher, whose keys are rotated together",
}


def _users(name: str) -> set[str]:
    """Members that import a module of commons, directly or through another module of commons."""
    seen, frontier, users = {name}, {name}, set()
    while frontier:
        target = frontier.pop()
        for other, path in modules():
            if target not in imports_of(path):
                continue
            if other.startswith("codex_proapi.commons."):
                frontier |= {other} - seen
                seen.add(other)
            users.add(other.split(".")[1])
    return users


@pytest.mark.parametrize("name", [n for n, p in modules("commons") if p.stem != "__init__"])
def test_a_module_of_commons_is_used_by_both_services(name: str) -> None:
    if name in EXCEPTIONS:
        pytest.skip(EXCEPTIONS[name])

    assert {"gateway", "console"} <= _users(name)
