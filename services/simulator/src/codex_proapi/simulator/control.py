"""The simulator's own HTTP port for tests in other processes: /_simulator."""

import dataclasses
import datetime as dt
from typing import Any

import msgspec
from aiohttp import web

from codex_proapi.simulator.state.accounts import SavedReset, SimulatedAccount
from codex_proapi.simulator.state.fault_rules import Rule
from codex_proapi.simulator.state.faults import NAMED, UnknownFault, named_fault
from codex_proapi.simulator.state.world import World

_RULE_FIELDS = ("on", "account", "model", "times", "skip")


class Control:
    """The routes below /_simulator over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __repr__(self) -> str:
        return f"<Control of {self._world.faults!r}>"

    def routes(self) -> list[web.RouteDef]:
        """The routes below /_simulator."""
        root = "/_simulator"
        return [
            web.get(f"{root}/faults", self.faults),
            web.post(f"{root}/faults", self.add_fault),
            web.delete(f"{root}/faults", self.clear_faults),
            web.get(f"{root}/requests", self.requests),
            web.delete(f"{root}/requests", self.clear_requests),
            web.get(f"{root}/token_calls", self.token_calls),
            web.get(f"{root}/accounts", self.accounts),
            web.post(f"{root}/accounts/{{name}}", self.change_account),
            web.post(f"{root}/accounts/{{name}}/login", self.login),
            web.post(f"{root}/device/{{user_code}}", self.decide_device),
        ]

    async def faults(self, _: web.Request) -> web.Response:
        """The names of faults and the rules in force."""
        rules = [msgspec.to_builtins(rule) for rule in self._world.faults.rules]
        return web.json_response({"names": sorted(NAMED), "rules": rules})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Script a fault: `{"fault": NAME, "account"?, "times"? (null: always), …fields}`."""
        asked = await request.json()
        name = asked.pop("fault", "")
        conditions = {key: asked.pop(key) for key in _RULE_FIELDS if key in asked}
        try:
            self._world.faults.add(Rule(fault=named_fault(name, asked), **conditions))
        except UnknownFault as unknown:
            return web.json_response({"error": str(unknown)}, status=400)
        return web.json_response({"rules": len(self._world.faults.rules)}, status=201)

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Forget every rule."""
        self._world.faults.clear()
        return web.Response(status=204)

    async def requests(self, request: web.Request) -> web.Response:
        """The received requests; `?path=` selects paths by their end."""
        ending = request.query.get("path", "")
        reported = [dataclasses.asdict(a) for a in self._world.requests if a.path.endswith(ending)]
        return web.json_response(reported)

    async def clear_requests(self, _: web.Request) -> web.Response:
        """Forget the received requests."""
        self._world.requests.clear()
        self._world.token_calls.clear()
        return web.Response(status=204)

    async def token_calls(self, _: web.Request) -> web.Response:
        """The calls of the token endpoint."""
        return web.json_response([dataclasses.asdict(call) for call in self._world.token_calls])

    async def accounts(self, _: web.Request) -> web.Response:
        """The invented accounts, without tokens."""
        return web.json_response([_describe(account) for account in self._world.accounts])

    async def change_account(self, request: web.Request) -> web.Response:
        """Change an account, e.g. `{"used_percent": 100}`; an unknown name makes a new one."""
        name = request.match_info["name"]
        changes = await request.json()
        if "saved_resets" in changes:
            changes["saved_resets"] = [SavedReset(**each) for each in changes["saved_resets"]]
        known = next((a for a in self._world.accounts if a.name == name), None)
        if known is None:
            known = SimulatedAccount(name=name, **changes)
            self._world.accounts.append(known)
        for field, value in changes.items():
            plain = isinstance(value, list) and field != "saved_resets"
            setattr(known, field, tuple(value) if plain else value)
        return web.json_response(_describe(known))

    async def login(self, request: web.Request) -> web.Response:
        """A fresh auth.json of an account: `{"expires_in"?: seconds}`."""
        account = self._world.account(request.match_info["name"])
        asked = await request.json() if request.can_read_body else {}
        made = auth_json(self._world, account, expires_in=asked.get("expires_in"))
        return web.json_response(made)

    async def decide_device(self, request: web.Request) -> web.Response:
        """Approve or deny a device code: `{"login": NAME | "deny"}`."""
        login = self._world.logins.device_of(request.match_info["user_code"])
        if login is None:
            return web.json_response({"error": "unknown code"}, status=404)
        chosen = (await request.json())["login"]
        if chosen == "deny":
            login.denied = True
        else:
            login.approved_by = self._world.account(chosen)
        return web.Response(status=204)


def auth_json(
    world: World, account: SimulatedAccount, *, expires_in: float | None = None
) -> dict[str, Any]:
    """The content of `$CODEX_HOME/auth.json` after a fresh login of an account."""
    now = world.clock()
    tokens = world.logins.issue_tokens(account, now=now, expires_in=expires_in)
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": tokens["id_token"],
            "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"],
            "account_id": account.workspace,
        },
        "last_refresh": _timestamp(now),
    }


def _timestamp(now: float) -> str:
    return dt.datetime.fromtimestamp(now, dt.UTC).isoformat().replace("+00:00", "Z")


def _describe(account: SimulatedAccount) -> dict[str, Any]:
    return dataclasses.asdict(account)
