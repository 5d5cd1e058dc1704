"""Chooses the translator of an answer of the Messages API."""

import msgspec

from codex_proapi.gateway.translation.messages.answer.aggregator import MessagesAggregator
from codex_proapi.gateway.translation.messages.answer.options import MessagesOptions
from codex_proapi.gateway.translation.messages.answer.translator import MessagesTranslator
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


def messages_translator(
    translated: TranslatedRequest,
    *,
    request_id: str,
    created: int,  # noqa: ARG001 - a message has no time
    own_quota: bool = False,  # noqa: ARG001 - nor quotas
) -> StreamTranslator:
    """Return the translator of one answer; the message's id is derived from `request_id` (`req_…`)."""
    if not isinstance(translated.answer, MessagesOptions):
        raise TypeError("not a Messages request")
    options = msgspec.structs.replace(translated.answer, tool_names=translated.tool_names)
    message_id = f"msg_{request_id.removeprefix('req_')}"
    if not translated.stream:
        return MessagesAggregator(options, message_id=message_id, model=translated.asked_model)
    return MessagesTranslator(
        options, message_id=message_id, model=translated.asked_model, request_id=request_id
    )
