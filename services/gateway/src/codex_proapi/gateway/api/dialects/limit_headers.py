"""Rate limit headers of responses, from the limits of the client's key.

`x-ratelimit-*` is OpenAI's, `x-codex-*` the Codex backend's.
"""

import math

from codex_proapi.gateway.formats.codex.quota_encoder import headers_of_quota
from codex_proapi.gateway.limits.limit_charge import LimitCharge
from codex_proapi.gateway.limits.visible_quota import share_of_charge
from codex_proapi.gateway.server.asgi import Header

_REQUESTS, _TOKENS = (
    tuple(f"x-ratelimit-{word}-{kind}".encode() for word in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
)


def headers_of_limits(charge: LimitCharge | None, codex: bool) -> list[Header]:  # noqa: FBT001 - a dialect's signature
    """All rate limit headers; those of budgets only if the client is Codex."""
    if charge is None:
        return []
    return [*limit_headers(charge), *(share_headers(charge) if codex else ())]


def limit_headers(charge: LimitCharge) -> list[Header]:
    """`x-ratelimit-*` for the limits of a minute that the key has; nothing for any other."""
    allowance = charge.allowance
    if allowance is None:
        return []
    headers: list[Header] = []
    for names, limit, left, reset in (
        (_REQUESTS, charge.limits.rpm, allowance.requests_left, allowance.requests_reset),
        (_TOKENS, charge.limits.tpm, allowance.tokens_left, allowance.tokens_reset),
    ):
        if limit:
            # A span as clients read it: `120ms`, `6s`.
            span = b"%ds" % math.ceil(reset) if reset >= 1 else b"%dms" % math.ceil(reset * 1000)
            headers += zip(names, (b"%d" % limit, b"%d" % left, span), strict=True)
    return headers


def share_headers(charge: LimitCharge) -> list[Header]:
    """`x-codex-*` for the token budgets that the key has, as a Codex client knows them."""
    told = headers_of_quota(share_of_charge(charge))
    return [(name.encode(), value.encode()) for name, value in told]
