from typing import Any

import pytest
from support.leases import a_lease

from codex_proapi.gateway.exchange.turn_state import bound, state_for


def test_a_state_reaches_its_own_account_only() -> None:
    token = bound({"x-codex-turn-state": "opaque~state"}, "acc_a")

    assert token == "acc_a~opaque~state"
    assert state_for(token, a_lease("acc_a")) == "opaque~state"
    assert state_for(token, a_lease("acc_b")) == ""


@pytest.mark.parametrize("echoed", ["", "opaque", "acc_a", "~opaque"])
def test_a_state_that_is_not_ours_reaches_nobody(echoed: Any) -> None:
    assert state_for(echoed, a_lease("acc_a")) == ""


@pytest.mark.parametrize("state", ["", "x" * 9000, "new\nline", "ünsafe"])
def test_a_state_that_cannot_travel_in_a_header_is_dropped(state: Any) -> None:
    assert bound({"x-codex-turn-state": state}, "acc_a") == ""
