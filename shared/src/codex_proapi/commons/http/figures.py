"""Who may read `/metrics`: a Prometheus inside the network, or whoever has METRICS_TOKEN."""

import hmac
from collections.abc import Iterable

from codex_proapi.commons.http.forwarded import was_forwarded

_SCHEME = b"bearer "


class FiguresAccess:
    """Decides about requests for `/metrics`.

    Args:
        token: What must be sent as `Authorization: Bearer …`; empty asks for none.
    """

    def __init__(self, token: str = "") -> None:
        self._token = token.encode()

    def __repr__(self) -> str:
        return f"<FiguresAccess {'with' if self.asks else 'without'} a token>"

    @property
    def asks(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._token)

    def allows(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Whether a request may see the figures: never one that came through a proxy.

        Args:
            headers: Names (in lower case) and values.
        """
        found = list(headers)
        if was_forwarded(found):
            return False
        sent = next((value for name, value in found if name == b"authorization"), b"")
        presented = sent[len(_SCHEME) :].strip() if sent.lower().startswith(_SCHEME) else b""
        return not self._token or hmac.compare_digest(presented, self._token)
