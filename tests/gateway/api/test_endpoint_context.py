from typing import Any

from codex_proapi.commons.cluster.live_settings import HistoryMode
from codex_proapi.gateway.api.endpoint_context import EndpointContext
from codex_proapi.gateway.exchange.in_flight import InFlight


def test_a_house_tells_conversations_in_structure_until_it_is_told_otherwise() -> None:
    names = ("admission", "catalogues", "dispatcher", "responses", "stream_permits", "runtime")
    values: dict[str, Any] = dict.fromkeys(names)

    context = EndpointContext(in_flight=InFlight(most=3), **values)

    assert context.history_mode is HistoryMode.STRUCTURED
    assert repr(context).startswith("<EndpointContext with <InFlight")
