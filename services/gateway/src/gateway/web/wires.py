"""Which wire an answer travels on, by what was asked."""

from typing import Any

from gateway.translation.chat_fold import ChatFold
from gateway.translation.chat_options import ChatOptions
from gateway.translation.chat_wire import ChatWire
from gateway.translation.response_fold import ResponseFold
from gateway.translation.response_options import ResponseOptions
from gateway.translation.response_wire import ResponseWire
from gateway.translation.translated import Endpoint, Translated
from gateway.translation.verbatim_wire import VerbatimWire
from gateway.translation.wire import Wire


def wire_for(
    asked: Translated,
    *,
    endpoint: Endpoint,
    request_id: str,
    created: int,
    own_quota: bool = False,
) -> Wire:
    """The wire for one answer; ids that clients see derive from the request's."""
    random = request_id.removeprefix("req_")
    if asked.answer_form == "chat":
        return _chat_wire(asked, completion_id=f"chatcmpl-{random}", created=created)
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
        return ResponseFold(options, response_id=response_id, created=created, compact=compact)
    made = VerbatimWire if asked.verbatim else ResponseWire
    return made(options, response_id=response_id, created=created)


def _chat_wire(asked: Translated, *, completion_id: str, created: int) -> Wire:
    options = ChatOptions(
        include_usage=asked.include_usage,
        tool_names=asked.tool_names,
        custom_tools=asked.custom_tools,
        legacy_functions=asked.legacy_functions,
        refusal_as_refusal=asked.refusal_as_refusal,
        stop=asked.stop,
    )
    made = ChatWire if asked.stream else ChatFold
    return made(options, completion_id=completion_id, created=created, model=asked.asked_model)


def _echo(asked: Translated) -> dict[str, Any]:
    """What the response object repeats of the request."""
    echo: dict[str, Any] = {"store": asked.store}
    if asked.previous_response_id is not None:
        echo["previous_response_id"] = asked.previous_response_id
    return echo
