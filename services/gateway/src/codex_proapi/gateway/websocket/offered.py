"""Whether this installation can speak WebSocket, and the endpoint that does.

Everything that imports the framing library stands behind this module: an environment that was made
before the library was among the dependencies still serves HTTP, and answers an upgrade with 426.
"""

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codex_proapi.commons.runtime.tasks import Tasks
    from codex_proapi.gateway.exchange.dependencies import Dependencies
    from codex_proapi.gateway.exchange.dialect import Dialect
    from codex_proapi.gateway.exchange.serve import ExchangeService
    from codex_proapi.gateway.websocket.endpoint import WebSocketEndpoint


def socket_endpoint(
    services: "Dependencies", service: "ExchangeService", dialect: "Dialect", tasks: "Tasks"
) -> "WebSocketEndpoint | None":
    """The endpoint of the upgrades; None without the framing library."""
    if importlib.util.find_spec("websockets") is None:
        return None
    from codex_proapi.gateway.websocket.endpoint import WebSocketEndpoint  # noqa: PLC0415 - see above

    return WebSocketEndpoint(services, service, dialect, tasks)
