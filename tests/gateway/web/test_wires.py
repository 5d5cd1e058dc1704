from typing import Any

import pytest
from support.gateways import a_chat, a_response

from gateway.dialects.catalogue import Catalogue
from gateway.translation.chat_fold import ChatFold
from gateway.translation.chat_wire import ChatWire
from gateway.translation.requests import ClientTraits, RequestOptions, to_upstream
from gateway.translation.response_fold import ResponseFold
from gateway.translation.response_wire import ResponseWire
from gateway.translation.verbatim_wire import VerbatimWire
from gateway.web.wires import wire_for


def asked(body: Any, endpoint: Any, *, codex: Any = False) -> Any:
    return to_upstream(
        body,
        endpoint=endpoint,
        catalogue=Catalogue.built_in(),
        options=RequestOptions(),
        client=ClientTraits(is_codex=codex),
    )


@pytest.mark.parametrize(
    ("body", "endpoint", "codex", "wire"),
    [
        (a_chat(stream=True), "chat", False, ChatWire),
        (a_chat(), "chat", False, ChatFold),
        (a_response(stream=True), "chat", False, ChatWire),
        (a_response(stream=True), "responses", False, ResponseWire),
        (a_response(), "responses", False, ResponseFold),
        (a_response(stream=True), "responses", True, VerbatimWire),
        (a_response(), "compact", False, ResponseFold),
    ],
)
def test_an_answer_travels_as_it_was_asked_for(
    body: Any, endpoint: Any, codex: Any, wire: Any
) -> None:
    translated = asked(body, endpoint, codex=codex)

    made = wire_for(translated, endpoint=endpoint, request_id="req_0123", created=1)

    assert type(made) is wire
