"""The `x-codex-turn-state` header: the backend's sticky routing token, bound to its account.

A Codex client echoes the token within a turn. It is valid for the account that issued it only, so
the client receives it prefixed with our account id; no replica has to store anything.
"""

from collections.abc import Mapping
from typing import Final

from codex_proapi.gateway.formats.codex.requests import HEADER_LIMIT, TURN_STATE_HEADER
from codex_proapi.gateway.pool.lease import Lease

SEPARATOR: Final = "~"


def bound(headers: Mapping[str, str], account_id: str) -> str:
    """The token for the client, prefixed with the account id; empty if upstream sent no valid one."""
    state = headers.get(TURN_STATE_HEADER, "")
    if not state or len(state) > HEADER_LIMIT or not (state.isascii() and state.isprintable()):
        return ""
    return f"{account_id}{SEPARATOR}{state}"


def state_for(echoed: str, lease: Lease) -> str:
    """The token for upstream; empty if it belongs to another account or has no account prefix."""
    account_id, separator, state = echoed.partition(SEPARATOR)
    return state if separator and account_id == lease.account.id else ""
