"""Tests an account step by step: connection, token, models, quota, and optionally a short answer.

Each step reports its duration and its error; the first failure ends the test. Only the answer costs
quota.
"""

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import msgspec

from codex_proapi.commons.accounts.kinds import TOKEN_REFUSED, kind_of
from codex_proapi.commons.accounts.model import Account, Credential
from codex_proapi.commons.accounts.refresher import CredentialRefresher
from codex_proapi.commons.codex.endpoints import models_url, responses_url, usage_url
from codex_proapi.commons.codex.identity import Identity
from codex_proapi.commons.codex.minimal_request import LITE_HEADER, minimal_request
from codex_proapi.commons.runtime.errors import CredentialRevoked, CredentialUnavailable
from codex_proapi.console.settings import ConsoleSettings

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
QUESTION = "Reply with the single word: ok"
MOST_ANSWER = 256 * 1024
"""Most bytes read of the short answer."""

REVOKED = "credential_revoked"
_END_EVENTS = ("response.completed", "response.incomplete")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a test."""

    name: str
    """`connection`, `token`, `models`, `quota` or `answer`."""
    passed: bool
    milliseconds: int
    code: str = ""
    """The error code; empty on success."""
    facts: dict[str, str | int] = {}
    """The result: number of models, plan, the model that answered, or how the proxy failed."""


class Failed(Exception):
    """A step failed; the message is its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ConnectionTest:
    """Tests accounts against the backend."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        refresher: CredentialRefresher,
        *,
        settings: ConsoleSettings,
        identity: Identity,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._http = http
        self._refresher = refresher
        self._identity = identity
        self._clock = clock
        self._base = settings.codex_base_url.rstrip("/")

    def __repr__(self) -> str:
        return f"<ConnectionTest against {self._base}>"

    async def run(self, account: Account, *, answer: bool) -> list[Step]:
        """Every step up to the first that fails."""
        return [step async for step in self._steps(account, answer=answer)]

    async def _steps(self, account: Account, *, answer: bool) -> AsyncIterator[Step]:
        models: list[dict[str, Any]] = []
        held: list[Credential] = []
        kind = kind_of(account)

        async def token() -> dict[str, str | int]:
            ask = self._refresher.renew if kind.lasts else self._refresher.fresh
            held.append(await ask(account.id))
            return {"expires_at": held[0].expires_at}

        async def list_models() -> dict[str, str | int]:
            models.extend(await self._models(account, held[0]))
            return {"models": len(models)}

        steps: list[tuple[str, Callable[[], Awaitable[dict[str, str | int]]]]] = [
            ("connection", self._connect),
            ("token", token),
        ]
        if kind.has_catalogue:
            steps.append(("models", list_models))
        if kind.has_quota:
            steps.append(("quota", lambda: self._quota(account, held[0])))
        if answer:
            steps.append(("answer", lambda: self._answer(account, held[0], models)))
        for name, work in steps:
            step = await self._step(name, work)
            if step.code == REVOKED and kind.lasts:
                step = msgspec.structs.replace(step, code=TOKEN_REFUSED)
            yield step
            if not step.passed:
                return

    async def _step(self, name: str, work: Callable[[], Awaitable[dict[str, str | int]]]) -> Step:
        began, code, facts = self._clock(), "", {}
        try:
            facts = await work()
        except Failed as failure:
            code = failure.code
        except CredentialRevoked:
            code = REVOKED
        except CredentialUnavailable:
            code = "credential_unavailable"
        except httpx.ProxyError as error:
            code, facts = "proxy_failed", {"proxy": str(error).removeprefix("proxy: ")}
        except httpx.TimeoutException:
            code = "upstream_timeout"
        except httpx.RemoteProtocolError:
            code = "upstream_stream_truncated"
        except httpx.HTTPError:
            code = "upstream_unreachable"
        milliseconds = round((self._clock() - began) * 1000)
        return Step(name=name, passed=not code, milliseconds=milliseconds, code=code, facts=facts)

    async def _connect(self) -> dict[str, str | int]:
        """DNS, TCP and TLS; any response passes."""
        host = httpx.URL(self._base)
        answer = await self._http.head(host.copy_with(path="/"), timeout=CONNECT_SECONDS)
        return {"host": host.host, "status": answer.status_code}

    async def _models(self, account: Account, credential: Credential) -> list[dict[str, Any]]:
        found = await self._get(models_url(self._base, self._identity.version), account, credential)
        models = found.get("models")
        return [m for m in models if isinstance(m, dict)] if isinstance(models, list) else []

    async def _quota(self, account: Account, credential: Credential) -> dict[str, str | int]:
        found = await self._get(usage_url(self._base), account, credential)
        return {"plan": str(found.get("plan_type") or "")[:64]}

    async def _get(self, url: str, account: Account, credential: Credential) -> dict[str, Any]:
        answer = await self._http.get(
            url,
            headers=self._headers(account, credential),
            timeout=CONNECT_SECONDS,
        )
        _check(answer.status_code, answer.content)
        return _table(answer.content)

    async def _answer(
        self, account: Account, credential: Credential, models: list[dict[str, Any]]
    ) -> dict[str, str | int]:
        """One short answer of the account's first model."""
        model = _first_model(models)
        session = str(uuid.uuid4())
        headers = {
            **self._headers(account, credential),
            "accept": "text/event-stream",
            "session-id": session,
            "thread-id": session,
        }
        lite = bool(model.get("use_responses_lite"))
        if lite:
            headers[LITE_HEADER] = "true"
        body = minimal_request(str(model["slug"]), QUESTION, session_id=session, lite=lite)
        async with self._http.stream(
            "POST",
            responses_url(self._base),
            json=body,
            headers=headers,
            timeout=ANSWER_SECONDS,
        ) as answer:
            read = b""
            async for piece in answer.aiter_bytes():
                read += piece
                if len(read) > MOST_ANSWER or any(f'"{e}"'.encode() in read for e in _END_EVENTS):
                    break
        _check(answer.status_code, read)
        if not any(f'"{each}"'.encode() in read for each in _END_EVENTS):
            raise Failed(_failure_in(read) or "upstream_stream_truncated")
        return {"model": str(model["slug"])}

    def _headers(self, account: Account, credential: Credential) -> dict[str, str]:
        return kind_of(account).headers(self._identity, account, credential)


def _first_model(models: list[dict[str, Any]]) -> dict[str, Any]:
    """The listed model that upstream puts first."""
    listed = [
        model
        for model in models
        if isinstance(model.get("slug"), str) and model.get("visibility", "list") == "list"
    ]
    if not listed:
        raise Failed("no_models")

    def position(model: dict[str, Any]) -> float:
        priority = model.get("priority")
        return priority if isinstance(priority, int | float) else float("inf")

    return min(listed, key=position)


def _check(status: int, body: bytes) -> None:
    """Accept a 2xx; else raise Failed with the error's code or the status."""
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's successes
        return
    raise Failed(_code_of(_table(body)) or f"http_{status}")


def _failure_in(stream: bytes) -> str:
    """The code of a failure inside a stream."""
    for line in stream.splitlines():
        if line.startswith(b"data:") and b"failed" in line:
            event = _table(line.removeprefix(b"data:"))
            response = event.get("response")
            if isinstance(response, dict):
                return _code_of(response)
    return ""


def _code_of(table: dict[str, Any]) -> str:
    """An error's code wherever upstream put it; only words, no texts."""
    for position in (table.get("error"), table.get("detail"), table):
        if isinstance(position, dict):
            for name in ("code", "type"):
                value = position.get(name)
                if isinstance(value, str) and value.isascii() and value.replace("_", "").isalnum():
                    return value[:64]
    return ""


def _table(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}
