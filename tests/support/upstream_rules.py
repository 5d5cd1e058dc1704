"""What the backend refuses, applied to a request of ours without any socket."""

from typing import Any

import msgspec

from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.gateway.formats.codex.login_headers import LoginHeaders
from codex_proapi.gateway.formats.codex.requests import UpstreamRequest, request_headers
from codex_proapi.simulator.state.accounts import SimulatedAccount
from codex_proapi.simulator.state.leniency import Leniency
from codex_proapi.simulator.validation.items import _ITEM_KEYS
from codex_proapi.simulator.validation.request_rules import check_request
from codex_proapi.simulator.validation.values import Refused

ACCOUNT = Account(id="acc_1", name="one", chatgpt_account_id="workspace-1")
CREDENTIAL = Credential(account_id="acc_1", access_token="token-1")
LENIENCY = Leniency(foreign_seals=True)


def broken_rule(request: UpstreamRequest) -> str | None:
    """The rule a request breaks, in the backend's words; None for none.

    Items of types we do not know ourselves are passed over: knowing them is the backend's business.
    """
    body: dict[str, Any] = msgspec.json.decode(request.encode())
    login = LoginHeaders(Identity()).of(ACCOUNT, CREDENTIAL)
    headers = {**login.fields, **request_headers(request)}
    known = [item for item in body["input"] if item["type"] in _ITEM_KEYS]
    try:
        check_request(
            {**body, "input": known or body["input"]},
            headers,
            SimulatedAccount(name="pro", plan="pro"),
            LENIENCY,
        )
    except Refused as refused:
        return str(refused.refusal.body)
    return None
