"""Every dialect that is served; routes, metrics and endpoints take theirs from here."""

from typing import Final

from codex_proapi.gateway.api.dialects.chat import CHAT
from codex_proapi.gateway.api.dialects.compact import COMPACT
from codex_proapi.gateway.api.dialects.completions import COMPLETIONS
from codex_proapi.gateway.api.dialects.images import IMAGE_EDITS, IMAGES
from codex_proapi.gateway.api.dialects.messages import MESSAGES
from codex_proapi.gateway.api.dialects.responses import RESPONSES
from codex_proapi.gateway.api.dialects.search import SEARCH
from codex_proapi.gateway.exchange.dialect import Dialect

DIALECTS: Final[tuple[Dialect, ...]] = (
    *(CHAT, RESPONSES, COMPACT, MESSAGES, COMPLETIONS),
    *(IMAGES, IMAGE_EDITS, SEARCH),
)
