from typing import Any

import msgspec
import pytest
from support.gateways import a_chat, a_response

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.api.dialects.table import DIALECTS
from codex_proapi.gateway.translation.chat.aggregator import ChatAggregator
from codex_proapi.gateway.translation.chat.translator import ChatTranslator
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
)
from codex_proapi.gateway.translation.responses.aggregator import ResponsesAggregator
from codex_proapi.gateway.translation.responses.passthrough import ResponsesPassthrough
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


@pytest.mark.parametrize(
    ("body", "endpoint", "codex", "translator"),
    [
        (a_chat(stream=True), "chat", False, ChatTranslator),
        (a_chat(), "chat", False, ChatAggregator),
        (a_response(stream=True), "chat", False, ChatTranslator),
        (a_response(stream=True), "responses", False, ResponsesTranslator),
        (a_response(), "responses", False, ResponsesAggregator),
        (a_response(stream=True), "responses", True, ResponsesPassthrough),
        (a_response(), "compact", False, ResponsesAggregator),
    ],
)
def test_an_answer_travels_as_it_was_asked_for(
    body: Any, endpoint: Any, codex: Any, translator: Any
) -> None:
    dialect = BY_NAME[endpoint]
    translated = dialect.read(
        msgspec.json.encode(body),
        catalogue=Catalogue.built_in(),
        options=RequestOptions(),
        client=ClientTraits(is_codex=codex),
    )

    made = dialect.translator(translated, request_id="req_0123", created=1)

    assert type(made) is translator


def test_no_two_dialects_share_a_name_or_a_path() -> None:
    assert len(BY_NAME) == len({dialect.path for dialect in DIALECTS}) == len(DIALECTS)
