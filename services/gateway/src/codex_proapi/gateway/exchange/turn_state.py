"""Turn states on their way through us: upstream's sticky routing token, bound to its account.

A Codex client echoes the token within a turn. It must not reach another account, so the client
gets it with our account id in front; no replica has to remember anything.
"""

from collections.abc import Mapping
from typing import Final

from codex_proapi.gateway.formats.codex.requests import HEADER_LIMIT, TURN_STATE_HEADER
from codex_proapi.gateway.pool.lease import Lease

SEPARATOR: Final = "~"


def bound(headers: Mapping[str, str], account_id: str) -> str:
    """The token as the client gets it, from upstream's headers; empty where there is none."""
    state = headers.get(TURN_STATE_HEADER, "")
    if not state or len(state) > HEADER_LIMIT or not (state.isascii() and state.isprintable()):
        return ""
    return f"{account_id}{SEPARATOR}{state}"


def state_for(echoed: str, lease: Lease) -> str:
    """The token for upstream; empty when it belongs to another account, or is none of ours."""
    account_id, separator, state = echoed.partition(SEPARATOR)
    return state if separator and account_id == lease.account.id else ""
