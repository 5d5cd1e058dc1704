"""Tells small work from a user's own requests, and whether a cheaper model can do it. Pure.

By what a client declares: route, headers, model name, the shape of the body. No text of a
conversation is looked at. Seen with Claude Code 2.1.332 (which states a request's class with
`CLAUDE_CODE_GATEWAY_HINT_HEADERS=1`), Codex CLI 0.169 to 0.171 and Open WebUI, November 2026.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from codex_proapi.commons.api_keys.small_work import WorkClass, WorkOutcome
from codex_proapi.commons.codex.model_catalogue import Model
from codex_proapi.gateway.formats.codex.requests import COMPACTION_TRIGGER
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    TranslatedRequest,
)

COMPACT: Final = "compact"
MESSAGES: Final = "messages"
"""Names of dialects."""
AUTO_REVIEW_MODEL: Final = "codex-auto-review"
_BY_REQUEST_CLASS: Final = {
    "compaction": WorkClass.COMPACTION,
    "auxiliary": WorkClass.AUXILIARY,
}
_BY_SUBAGENT: Final = {
    "compact": WorkClass.COMPACTION,
    "guardian": WorkClass.AUTO_REVIEW,
    "memory_consolidation": WorkClass.MEMORY,
}
"""Values of Codex' `x-openai-subagent`; `review` and `collab_spawn` are work of their own."""
_UI_TASKS: Final = frozenset(
    {
        *("title_generation", "tags_generation", "follow_up_generation"),
        *("emoji_generation", "query_generation", "autocomplete_generation"),
        *("image_prompt_generation",),
    }
)
"""Values of `metadata.task` in Open WebUI's requests that only serve its pages."""
_TITLE_FIELDS: Final = frozenset({"title", "isNewTopic", "branch"})
"""Fields of the only object that Claude Code's title request may be answered with."""
_FILLED: Final = 0.9
"""Part of a context window that an estimate may fill: it is no count."""


def work_class(
    translated: TranslatedRequest, client: ClientTraits, *, endpoint: str, is_haiku: bool
) -> WorkClass | None:
    """The class of small work that a request belongs to; None for a user's own request.

    Args:
        translated: the request as it would be sent.
        client: what its headers tell.
        endpoint: name of the dialect.
        is_haiku: whether its model is of Claude's haiku family, and no name of ours.
    """
    request = translated.request
    if request.route:  # of pictures and searches
        return None
    if endpoint == COMPACT or (request.input and request.input[-1] == COMPACTION_TRIGGER):
        return WorkClass.REMOTE_COMPACTION
    stated = _BY_REQUEST_CLASS.get(client.request_class) if client.is_claude_code else None
    if stated is not None:
        return stated
    if client.is_codex:
        return _of_codex(client, request.model)
    if endpoint == MESSAGES:
        if client.is_claude_code and not request.tools and _is_title(request.text):
            return WorkClass.AUXILIARY
        # A main conversation may have chosen haiku; its sub-agents say which they are.
        return WorkClass.HAIKU if is_haiku and not client.request_class else None
    return WorkClass.UI_TASK if translated.task in _UI_TASKS else None


def misfit(translated: TranslatedRequest, model: Model, *, tokens: int) -> WorkOutcome | None:
    """Why a model cannot serve a request; None if it can.

    Args:
        translated: the request.
        model: the cheaper model.
        tokens: the estimated input tokens.
    """
    if model.context_window and tokens > model.context_window * _FILLED:
        return WorkOutcome.CONTEXT
    if "image" not in model.input_modalities and any(_images(translated.request.input)):
        return WorkOutcome.IMAGES
    return None


def _of_codex(client: ClientTraits, model: str) -> WorkClass | None:
    if model == AUTO_REVIEW_MODEL:
        return WorkClass.AUTO_REVIEW
    if client.compacts:
        return WorkClass.COMPACTION
    return _BY_SUBAGENT.get(client.subagent)


def _is_title(text: Mapping[str, Any]) -> bool:
    """Whether the answer is an object with a title and nothing else of substance."""
    wanted = text.get("format")
    schema = wanted.get("schema") if isinstance(wanted, dict) else None
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(fields, dict) and "title" in fields and _TITLE_FIELDS.issuperset(fields)


def _images(items: tuple[dict[str, Any], ...]) -> Iterator[bool]:
    """One value for each image of the items."""
    for item in items:
        for field in ("content", "output"):
            parts = item.get(field)
            for part in parts if isinstance(parts, list | tuple) else ():
                if isinstance(part, dict) and part.get("type") == "input_image":
                    yield True
