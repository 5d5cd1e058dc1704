"""Paths of OpenAI's and Anthropic's APIs that are not served, and what to use instead."""

from collections.abc import Mapping
from typing import Final

from codex_proapi.gateway.api.paths import PREFIXES

_NOT_OF_BACKEND: Final = "the Codex backend has no such thing; use another provider for it"
_INLINE: Final = "send the file itself inside the request, as `file_data` or as a data: URL"
_TURNS: Final = (
    "continue a response by its `previous_response_id`; for six hours GET and DELETE "
    "/v1/responses/{id} show and delete it"
)
_FIGURES: Final = "the administrator's console shows usage; GET /v1/usage the key's own"
_OF_OLLAMA: Final = (
    *("chat", "copy", "create", "delete", "embed", "embeddings", "generate", "ps", "pull", "push"),
    *("show", "tags", "version"),
)

UNSERVED: Final[Mapping[str, str]] = {
    "/complete": "use POST /v1/messages",
    "/embeddings": "the Codex backend makes no embeddings; use another provider for them",
    "/moderations": _NOT_OF_BACKEND,
    "/images": "use POST /v1/images/generations or POST /v1/images/edits",
    "/images/variations": "send the picture to POST /v1/images/edits",
    "/videos": _NOT_OF_BACKEND,
    "/audio": _NOT_OF_BACKEND,
    "/realtime": _NOT_OF_BACKEND,
    "/files": _INLINE,
    "/uploads": _INLINE,
    "/batches": "send the requests one by one",
    "/messages/batches": "send the messages one by one to POST /v1/messages",
    "/fine_tuning": _NOT_OF_BACKEND,
    "/evals": _NOT_OF_BACKEND,
    "/vector_stores": _NOT_OF_BACKEND,
    "/containers": _NOT_OF_BACKEND,
    "/assistants": "use POST /v1/responses",
    "/chat/completions": "answers of chat are not stored; POST /v1/responses stores with `store`",
    "/edits": "use POST /v1/chat/completions",
    "/engines": "use GET /v1/models",
    "/rerank": _NOT_OF_BACKEND,
    "/skills": _NOT_OF_BACKEND,
    "/chatkit": _NOT_OF_BACKEND,
    "/dashboard": _FIGURES,
    "/v1beta": "Gemini's API is not served; use POST /v1/chat/completions",
    "/v1alpha": "Gemini's API is not served; use POST /v1/chat/completions",
    **dict.fromkeys(
        (f"/api/{name}" for name in _OF_OLLAMA),
        "Ollama's API is not served; choose an OpenAI-compatible provider with /v1 as its address",
    ),
    "/threads": "use POST /v1/responses",
    "/responses": _TURNS,
    "/conversations": _TURNS,
    "/organization": _FIGURES,
}
"""How paths begin, without `/v1`, to the way there is: what stands below them is not served either."""


def hint_for(path: str) -> str | None:
    """What to use instead of a path that is not served; None for one that nobody knows."""
    for prefix in sorted(PREFIXES, key=len, reverse=True):
        if not path.startswith(f"{prefix}/"):
            continue
        rest = path[len(prefix) :].rstrip("/")
        while rest:
            if rest in UNSERVED:
                return UNSERVED[rest]
            rest = rest.rpartition("/")[0]
    return None
