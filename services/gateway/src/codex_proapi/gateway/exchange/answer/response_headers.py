"""Response headers that depend on a request and its answer, beside those of its key's limits."""

from collections.abc import Mapping
from typing import Final

from codex_proapi.gateway.exchange import turn_state
from codex_proapi.gateway.exchange.exchange import Exchange
from codex_proapi.gateway.exchange.reserve import as_answered
from codex_proapi.gateway.formats.codex.requests import TURN_STATE_HEADER
from codex_proapi.gateway.server.asgi import Header

PASSED_HEADERS: Final = ("openai-model", "x-reasoning-included")
"""Answer headers that a Codex client reads."""


def response_headers(
    exchange: Exchange, answered: Mapping[str, str], codex_account: str
) -> list[Header]:
    """Response headers that depend on the request and its answer.

    Args:
        exchange: its translated request has the values of `x-dropped-parameters`,
            `x-fallback-model` and `x-small-work`.
        answered: upstream's response headers by lower-case name.
        codex_account: id of the account that sent them; empty for clients other than Codex, which
            get none of upstream's headers.
    """
    headers: list[Header] = []
    translated = exchange.translated
    if translated is None:
        return headers
    if translated.dropped:
        headers.append((b"x-dropped-parameters", ", ".join(translated.dropped).encode()))
    if translated.small_work:
        told = f"{translated.small_work}={translated.request.model}"
        headers.append((b"x-small-work", told.encode()))
    elif translated.replaces:
        headers.append((b"x-fallback-model", translated.request.meant_model.encode()))
    if codex_account:
        if state := turn_state.bound(answered, codex_account):
            headers.append((TURN_STATE_HEADER.encode(), state.encode()))
        for name in PASSED_HEADERS:
            value = as_answered(answered.get(name, ""), translated)
            if value and value.isascii() and value.isprintable():
                headers.append((name.encode(), value.encode()))
    return headers


def early_headers(exchange: Exchange) -> list[Header]:
    """Headers of an early 200, from the latest upstream response headers.

    Another account may answer in the end: the turn state stays safe, as it names its account.
    """
    translated, head = exchange.translated, exchange.upstream_head
    verbatim = translated is not None and translated.verbatim
    return response_headers(exchange, head.headers, head.account_id if verbatim else "")
