"""Luna Reserve: a limit beside the ordinary windows that serves one small model while they are shut.

Facts as audited by third parties in the Codex CLI 0.153 to 0.156 and described in OpenAI's help
(article 20001499), November 2026; nothing of it was tried against the live backend. The usage answer
has the limit only if it is asked for with RESERVE_HEADER, which clients send that can use it, and never
for FedRAMP workspaces. Requests name RESERVE in place of the model: the model's own name is counted in
the ordinary windows, and refused while they are shut.
"""

import enum
from typing import Final

from codex_proapi.commons.codex.substitution import RESERVE

RESERVE_LIMIT: Final = "base_model_inference"
"""Id of the limit in the usage answer; its name is RESERVE, and `normal_model_slug` the model."""
RESERVE_HEADER: Final = "x-openai-codex-luna-reserve"
"""Asks for the limit, with the value `1`."""


class LunaReserve(enum.StrEnum):
    """Whether requests may be served by accounts' reserves."""

    OFF = "off"
    """Never, and the backend is not asked for them."""
    LUNA = "luna"
    """Requests for the reserve's own model, while no account can serve it otherwise."""
    FALLBACK = "fallback"
    """Also requests for other models, after their fallbacks; the reserve's model serves then."""


def is_reserve(limit_id: str, name: str) -> bool:
    """Whether a limit is the reserve, by its id or its name."""
    return limit_id == RESERVE_LIMIT or name == RESERVE
