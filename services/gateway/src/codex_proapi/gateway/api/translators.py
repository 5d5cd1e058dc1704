"""Which wire an answer travels on, by what was asked."""

from typing import Any

from codex_proapi.gateway.translation.chat.aggregator import ChatAggregator
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator
from codex_proapi.gateway.translation.request.translated_request import Endpoint, TranslatedRequest
from codex_proapi.gateway.translation.responses.aggregator import ResponsesAggregator
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.passthrough import ResponsesPassthrough
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


def translator_for(
    asked: TranslatedRequest,
    *,
    endpoint: Endpoint,
    request_id: str,
    created: int,
    own_quota: bool = False,
) -> StreamTranslator:
    """The wire for one answer; ids that clients see derive from the request's."""
    random = request_id.removeprefix("req_")
    if asked.answer_form == "chat":
        return _chat_translator(asked, completion_id=f"chatcmpl-{random}", created=created)
    options = ResponseOptions(
        model="" if asked.verbatim else asked.asked_model,
        tool_names=asked.tool_names,
        echo=_echo(asked),
        own_quota=own_quota,
        keep_items=asked.store,
    )
    response_id = f"resp_{random}"
    if not asked.stream:
        compact = endpoint == "compact"
        return ResponsesAggregator(
            options, response_id=response_id, created=created, compact=compact
        )
    made = ResponsesPassthrough if asked.verbatim else ResponsesTranslator
    return made(options, response_id=response_id, created=created)


def _chat_translator(
    asked: TranslatedRequest, *, completion_id: str, created: int
) -> StreamTranslator:
    options = ChatOptions(
        include_usage=asked.include_usage,
        tool_names=asked.tool_names,
        custom_tools=asked.custom_tools,
        legacy_functions=asked.legacy_functions,
        refusal_as_refusal=asked.refusal_as_refusal,
        stop=asked.stop,
    )
    made = ChatTranslator if asked.stream else ChatAggregator
    return made(options, completion_id=completion_id, created=created, model=asked.asked_model)


def _echo(asked: TranslatedRequest) -> dict[str, Any]:
    """What the response object repeats of the request."""
    echo: dict[str, Any] = {"store": asked.store}
    if asked.previous_response_id is not None:
        echo["previous_response_id"] = asked.previous_response_id
    return echo
