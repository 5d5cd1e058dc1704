"""Which translator carries an answer to a completions client."""

from codex_proapi.gateway.translation.completions.aggregator import CompletionAggregator
from codex_proapi.gateway.translation.completions.options import CompletionOptions
from codex_proapi.gateway.translation.completions.translator import CompletionTranslator
from codex_proapi.gateway.translation.request.translated_request import TranslatedRequest
from codex_proapi.gateway.translation.stream.stream_translator import StreamTranslator


def completions_translator(
    translated: TranslatedRequest,
    *,
    request_id: str,
    created: int,
    own_quota: bool = False,  # noqa: ARG001 - a completions stream tells nothing of quotas
) -> StreamTranslator:
    """Return the translator of one answer.

    The completion's id is made of `request_id` (`req_…`), `created` is in seconds since the epoch.
    """
    if not isinstance(translated.answer, CompletionOptions):
        raise TypeError("not a completions request")
    made = CompletionTranslator if translated.stream else CompletionAggregator
    return made(
        translated.answer,
        completion_id=f"cmpl-{request_id.removeprefix('req_')}",
        created=created,
        model=translated.asked_model,
    )
