"""Accounts, credentials, leases and requests for tests of the relay."""

from typing import Any

import msgspec

from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.balancing.candidates import Reason
from codex_proapi.gateway.formats.codex.requests import Shape, UpstreamRequest
from codex_proapi.gateway.pool.lease import Lease
from codex_proapi.gateway.translation.request.translated_request import (
    Basis,
    HistoryMode,
    TranslatedRequest,
)

NOW = 1_795_000_000.0


def an_account(account_id: str = "acc_a", **fields: Any) -> Account:
    """An account of this id."""
    provided: dict[str, Any] = {
        "name": account_id,
        "chatgpt_account_id": f"ws-{account_id}",
        "plan": "plus",
    }
    return Account(id=account_id, **{**provided, **fields})


def a_credential(account_id: str = "acc_a", **fields: Any) -> Credential:
    """Its credential, good for a day."""
    provided: dict[str, Any] = {
        "access_token": f"token of {account_id}",
        "refresh_token": "rt_1",
        "expires_at": int(NOW) + 86_400,
        "refreshed_at": int(NOW),
        "generation": 1,
    }
    return Credential(account_id=account_id, **{**provided, **fields})


def a_lease(account_id: str = "acc_a", *, began: float = NOW, **fields: Any) -> Lease:
    """A lease on it."""
    provided: dict[str, Any] = {
        "account": an_account(account_id),
        "credential": a_credential(account_id),
        "basis": Reason.TURN,
    }
    return Lease(began=began, **{**provided, **fields})


def a_request(*items: Any, **fields: Any) -> UpstreamRequest:
    """An upstream request with these input items."""
    said = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "say hello"}],
    }
    provided: dict[str, Any] = {
        "model": "gpt-5.5",
        "shape": Shape.CLASSIC,
        "session_id": "019a0000-0000-7000-8000-000000000001",
        "input": items or (said,),
    }
    return UpstreamRequest(**{**provided, **fields})


class Options(msgspec.Struct):
    """A dialect's own options."""


def a_translation(request: UpstreamRequest, **fields: Any) -> TranslatedRequest:
    """A client's request, translated to this one."""
    provided: dict[str, Any] = {"asked_model": request.model, "stream": True}
    basis = Basis(
        key_id="", history_mode=HistoryMode.STRUCTURED, verbatim=False, lane=None, session=None
    )
    return TranslatedRequest(
        request=request, answer=Options(), basis=basis, **{**provided, **fields}
    )
