"""Accounts, credentials and leases for tests of the relay."""

from typing import Any

from commons.accounts.model import Account, Credential
from gateway.choice.ballot import Basis
from gateway.dialects.codex_requests import Shape, UpstreamRequest
from gateway.relay.lease import Lease

NOW = 1_795_000_000.0


def an_account(account_id: str = "acc_a", **fields: Any) -> Account:
    """An account of this id."""
    given: dict[str, Any] = {
        "name": account_id,
        "chatgpt_account_id": f"ws-{account_id}",
        "plan": "plus",
    }
    return Account(id=account_id, **{**given, **fields})


def a_credential(account_id: str = "acc_a", **fields: Any) -> Credential:
    """Its credential, good for a day."""
    given: dict[str, Any] = {
        "access_token": f"token of {account_id}",
        "refresh_token": "rt_1",
        "expires_at": int(NOW) + 86_400,
        "refreshed_at": int(NOW),
        "generation": 1,
    }
    return Credential(account_id=account_id, **{**given, **fields})


def a_lease(account_id: str = "acc_a", *, began: float = NOW, **fields: Any) -> Lease:
    """A lease on it."""
    given: dict[str, Any] = {
        "account": an_account(account_id),
        "credential": a_credential(account_id),
        "basis": Basis.TURN,
    }
    return Lease(began=began, **{**given, **fields})


def a_request(*items: Any, **fields: Any) -> UpstreamRequest:
    """An upstream request with these input items."""
    said = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "say hello"}],
    }
    given: dict[str, Any] = {
        "model": "gpt-5.5",
        "shape": Shape.CLASSIC,
        "session_id": "019a0000-0000-7000-8000-000000000001",
        "input": items or (said,),
    }
    return UpstreamRequest(**{**given, **fields})
