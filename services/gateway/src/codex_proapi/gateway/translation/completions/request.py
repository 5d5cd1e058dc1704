"""A legacy completions body made into an upstream request."""

from collections.abc import Mapping
from typing import Any, Final

from codex_proapi.commons.codex.model_catalogue import Catalogue
from codex_proapi.gateway.errors import BadRequest
from codex_proapi.gateway.formats.client_body import ClientBody, decode_body
from codex_proapi.gateway.translation.completions.options import CompletionOptions
from codex_proapi.gateway.translation.request.parameters import HANDLED, stops_of, wants_usage
from codex_proapi.gateway.translation.request.request_reader import (
    DECODING_ERRORS,
    RequestReader,
    unreadable,
)
from codex_proapi.gateway.translation.request.translated_request import (
    ClientTraits,
    RequestOptions,
    TranslatedRequest,
)

OWN: Final = frozenset({"prompt", "suffix", "best_of", "echo", "max_tokens", "logprobs"})
"""Fields that only this dialect has, or that it alone checks."""
MOST_STOPS: Final = 4
"""Most strings of `stop`, as in OpenAI's API."""
MOST_LOGPROBS: Final = 5
"""Highest number of `logprobs`, as in OpenAI's API."""
_LEFT_OUT: Final = frozenset({"max_tokens", "logprobs"})
"""Fields that are checked, and then left out: the backend limits no answer and tells no probabilities."""
_FOREIGN: Final = frozenset(
    {
        "messages", "input", "instructions", "system", "tool_choice", "function_call",
        "previous_response_id", "include", "web_search_options",
    }
)  # fmt: skip
"""Fields with a rule in other dialects that mean nothing here."""
_READ: Final = (HANDLED | OWN) - _FOREIGN


def read_completions_request(
    body: bytes | Mapping[str, Any],
    *,
    catalogue: Catalogue,
    options: RequestOptions,
    client: ClientTraits,
) -> TranslatedRequest:
    """Return the upstream request a completions body means: its prompt is a user's message.

    Raises:
        BadRequest: several prompts or prompts of tokens (`prompt`), filling in the middle
            (`suffix`), several answers (`best_of`, `n`), more than four strings to stop at or other
            than strings (`stop`), a `max_tokens` below 1 or `logprobs` beyond 5, or what no dialect
            can have.
        UnknownModel: the catalogue has no such model.
    """
    try:
        asked = decode_body(body, read=_READ)
        prompt = _prompt(asked)
        _refuse_impossible(asked)
        reader = RequestReader(
            {**_shared(asked), "messages": [{"role": "user", "content": prompt}]},
            catalogue=catalogue,
            options=options,
            client=client,
        )
        request, items = reader.upstream_request("messages")
        for name in (*asked.names, *(("tools",) if asked.tools or asked.functions else ())):
            if name not in _READ or name in _LEFT_OUT or name == "tools":
                reader.dropped.add(name)
        answer = CompletionOptions(
            include_usage=wants_usage(asked),
            stop=stops_of(asked, most=MOST_STOPS),
            structured=request.text.get("format", {}).get("type") in ("json_schema", "json_object"),
            echo=prompt if asked.flag("echo") else "",
        )
        return reader.translated(request, items, field="prompt", answer=answer)
    except DECODING_ERRORS:
        raise unreadable() from None


def _prompt(asked: ClientBody) -> str:
    """Return the one prompt, from a string or a list of one string."""
    prompt = asked.values.get("prompt")
    if prompt is None:
        raise BadRequest("'prompt' is required", code="missing_required_parameter", param="prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        [prompt] = prompt
    if isinstance(prompt, str) and prompt:
        return prompt
    several = isinstance(prompt, list) and all(isinstance(each, str | list) for each in prompt)
    if prompt and several:
        raise BadRequest(
            "Only one prompt can be answered; send one request for each",
            code="unsupported_value",
            param="prompt",
        )
    raise BadRequest(
        "'prompt' must be a string that is not empty; tokens are not taken",
        code="unsupported_value",
        param="prompt",
    )


def _refuse_impossible(asked: ClientBody) -> None:
    """Raise BadRequest for what would change the answer if it were left out."""
    if asked.values.get("suffix"):
        raise BadRequest(
            "'suffix' is not supported: there is no filling in the middle",
            code="unsupported_parameter",
            param="suffix",
        )
    best_of = asked.values.get("best_of")
    if best_of is not None and best_of != 1:
        raise BadRequest("Only one choice can be made", code="unsupported_value", param="best_of")
    if not _is_within(asked.values.get("max_tokens"), least=1):
        raise BadRequest(
            "'max_tokens' must be a whole number of at least 1: there is no answer without text",
            code="unsupported_value",
            param="max_tokens",
        )
    if not _is_within(asked.values.get("logprobs") or None, least=0, most=MOST_LOGPROBS):
        raise BadRequest(
            f"'logprobs' must be a whole number from 0 to {MOST_LOGPROBS}",
            code="unsupported_value",
            param="logprobs",
        )


def _is_within(value: Any, *, least: int, most: int | None = None) -> bool:
    """Whether a value is absent, or a whole number within bounds."""
    if value is None:
        return True
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and least <= value and (most is None or value <= most)


def _shared(asked: ClientBody) -> dict[str, Any]:
    """Return the fields that mean the same in chat."""
    return {name: value for name, value in asked.values.items() if name not in OWN}
