"""Chooses the translator of a chat answer."""

import msgspec

from codex_proapi.gateway.translation.chat.aggregator import ChatAggregator
from codex_proapi.gateway.translation.chat.options import ChatOptions
from codex_proapi.gateway.translation.chat.translator import ChatTranslator
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


def chat_translator(
    translated: TranslatedRequest,
    *,
    request_id: str,
    created: int,
    own_quota: bool = False,  # noqa: ARG001 - a chat stream has no quotas
) -> StreamTranslator:
    """Return the translator of one answer.

    The completion's id is derived from `request_id` (`req_…`); `created` is in seconds since the epoch.
    """
    if not isinstance(translated.answer, ChatOptions):
        raise TypeError("not a chat request")
    options = msgspec.structs.replace(translated.answer, tool_names=translated.tool_names)
    made = ChatTranslator if translated.stream else ChatAggregator
    completion_id = f"chatcmpl-{request_id.removeprefix('req_')}"
    return made(options, completion_id=completion_id, created=created, model=translated.asked_model)
