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

UNSERVED: Final[Mapping[str, str]] = {
    "/complete": "use POST /v1/messages",
    "/embeddings": "the Codex backend makes no embeddings; use another provider for them",
    "/moderations": _NOT_OF_BACKEND,
    "/images": "no images are made here; they can be sent to models that see",
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
    "/threads": "use POST /v1/responses",
    "/responses": _TURNS,
    "/conversations": _TURNS,
    "/organization": "the administrator's console shows usage; GET /api/codex/usage the key's own",
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
