"""Chooses the translator of an answer of the Responses API."""

import msgspec

from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.responses.aggregator import ResponsesAggregator
from codex_proapi.gateway.translation.responses.options import ResponseOptions
from codex_proapi.gateway.translation.responses.passthrough import ResponsesPassthrough
from codex_proapi.gateway.translation.responses.translator import ResponsesTranslator
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


def responses_translator(
    translated: TranslatedRequest, *, request_id: str, created: int, own_quota: bool = False
) -> StreamTranslator:
    """Return the translator of one answer.

    Args:
        translated: The translation of the request.
        request_id: Id of the request (`req_…`), from which a missing response id is made.
        created: Time in seconds since the epoch, if upstream sends none.
        own_quota: Whether events about the account's quota are left out.
    """
    if not isinstance(translated.answer, ResponseOptions):
        raise TypeError("not a Responses request")
    options = msgspec.structs.replace(
        translated.answer,
        model="" if translated.verbatim else translated.asked_model,
        reserve_of=translated.request.reserve_of,
        tool_names=translated.tool_names,
        own_quota=own_quota,
        keep_response=translated.store,
    )
    response_id = f"resp_{request_id.removeprefix('req_')}"
    if not translated.stream:
        return ResponsesAggregator(options, response_id=response_id, created=created)
    made = ResponsesPassthrough if translated.verbatim else ResponsesTranslator
    return made(options, response_id=response_id, created=created)
