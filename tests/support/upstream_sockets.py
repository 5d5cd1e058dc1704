"""The WebSocket transport before a simulated backend, without accounts, keys and Redis."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from support.gateways import PATIENCE_SECONDS, events_of

from codex_proapi.commons.connections.dialer import Dialer
from codex_proapi.commons.proxy.address import Proxy
from codex_proapi.gateway.errors import GatewayError
from codex_proapi.gateway.formats.codex.refusals import Refusal
from codex_proapi.gateway.metrics.transport_figures import TransportFigures
from codex_proapi.gateway.settings import TransportSetting
from codex_proapi.gateway.upstream.connection_pool import HttpClient
from codex_proapi.gateway.upstream.http_transport import HttpTransport
from codex_proapi.gateway.upstream.transport import PreparedRequest, RequestOwner, SilenceBudget
from codex_proapi.gateway.upstream.websocket.choice import TransportChoice
from codex_proapi.gateway.upstream.websocket.open_sockets import OpenSockets
from codex_proapi.gateway.upstream.websocket.socket_turns import SocketTurns, address_of
from codex_proapi.gateway.upstream.websocket.transport import WebSocketTransport
from codex_proapi.simulator import Leniency, Simulator


class SocketScene:
    """A transport, a simulated backend, and requests for them."""

    def __init__(self, sim: Simulator, **options: Any) -> None:
        self.sim = sim
        self._tokens = {name: sim.headers(name) for name in ("ada", "ben")}
        self.paused: set[str] = set()
        """Accounts that may not be used."""
        self.figures = TransportFigures(CollectorRegistry())
        self.transport = transport_to(
            f"{sim.base_url}/responses",
            figures=self.figures,
            usable=lambda account: account not in self.paused,
            **options,
        )

    def request(
        self,
        items: list[Any],
        *,
        account: str = "ada",
        key: str = "one",
        conversation: str = "talk",
        **fields: Any,
    ) -> PreparedRequest:
        """A request with this input."""
        body = {
            "model": "gpt-5.5",
            "stream": True,
            "instructions": "Be brief.",
            "input": items,
            "store": False,
            "include": ["reasoning.encrypted_content"],
            **fields,
        }
        return PreparedRequest(
            {**self._tokens[account]},
            msgspec.json.encode(body),
            owner=RequestOwner(account=account, key_id=key, conversation=conversation),
        )

    def requests(self, socket: str, sent: str) -> int:
        """Requests that were answered over WebSocket in one way."""
        return int(self.figures.socket_requests.of(socket, sent).count)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            await asyncio.sleep(0.01)

    def faults(self, kind: str) -> int:
        """Faults of one kind."""
        return int(self.figures.socket_faults.labels(kind)._value.get())


def transport_to(
    url: str,
    *,
    figures: TransportFigures,
    usable: Callable[[str], bool],
    setting: TransportSetting = TransportSetting.WEBSOCKET,
    clock: Callable[[], float] = time.monotonic,
    tls: Any = None,
    proxy: Proxy | None = None,
) -> WebSocketTransport:
    """A transport, with a POST behind it."""
    choice = TransportChoice(setting, clock=clock, first_event=figures.first_event)
    sockets = OpenSockets(usable, clock=clock)
    address = address_of(url)
    dialer = Dialer(address.host, address.port, tls=tls, proxy=proxy)
    turns = SocketTurns(address, dialer, sockets, choice=choice, figures=figures)
    http = HttpTransport(HttpClient(url, tls=tls, proxy=proxy), first_event=choice.posted)
    return WebSocketTransport(
        turns,
        http,
        choice,
        sockets=sockets,
        other_routes=http,
        prefers=lambda model: model != "gpt-5.4",
        clock=clock,
    )


@contextlib.asynccontextmanager
async def scene(*, backend: Simulator | None = None, **options: Any) -> AsyncIterator[SocketScene]:
    """A scene with this simulated backend, or one of its own."""
    async with backend or Simulator() as sim:
        sim.world.leniency = Leniency(
            foreign_seals=True
        )  # nobody here takes out what others sealed
        made = SocketScene(sim, **options)
        try:
            yield made
        finally:
            made.transport.close()


async def answered(transport: WebSocketTransport, request: PreparedRequest) -> list[Any] | None:
    """The items of the output; None if the request was not answered whole."""
    opened = await transport.open(request, SilenceBudget.begin(time.monotonic))
    if isinstance(opened, Refusal):
        return None
    data = opened.held
    try:
        while not data.endswith(b"\n\n") or b'"response.completed"' not in data:
            piece = await opened.read()
            if not piece:
                break
            data += piece
    except GatewayError:
        return None
    finally:
        opened.close()
    events = events_of(data)
    if events[-1]["type"] != "response.completed":
        return None
    done = [event for event in events if event["type"] == "response.output_item.done"]
    return [event["item"] for event in sorted(done, key=lambda event: event["output_index"])]


def a_message(text: str, role: str = "user") -> dict[str, Any]:
    """One message item."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}
