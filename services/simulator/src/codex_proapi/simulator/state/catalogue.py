"""The models the simulated backend has, as Codex CLI 0.171.0 knows them, and who may use them."""

from typing import Any

import msgspec

_ALL_EFFORTS = ("low", "medium", "high", "xhigh", "max", "ultra")
_PRIORITY = ("priority",)


class SimulatedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the catalogue."""

    slug: str
    """Its name on the wire."""
    priority: int
    """Place in the list, lower first."""
    minimal_client_version: str
    """Older clients are refused."""
    default_effort: str = "medium"
    """Reasoning effort when none is asked for."""
    highest_effort: str = "ultra"
    """The last of the efforts it knows."""
    lite: bool = True
    """Whether the catalogue says `use_responses_lite`."""
    context_window: int = 272_000
    """Input tokens."""
    max_context_window: int = 872_000
    """Input tokens at most."""
    tiers: tuple[str, ...] = _PRIORITY
    """Service tiers."""
    default_tier: str | None = None
    """The tier in force when none is asked for."""
    hidden: bool = False
    """Whether lists leave it out."""
    multi_agent: str | None = "v2"
    """`multi_agent_version`; `v2` models have reserved tools."""
    ultra_effort: str | None = None
    """`multi_agent_reasoning_effort`: what clients send for the effort `ultra`."""
    not_for: frozenset[str] = frozenset()
    """Plans that do not have it."""

    @property
    def efforts(self) -> tuple[str, ...]:
        """The levels the catalogue lists."""
        return _ALL_EFFORTS[: _ALL_EFFORTS.index(self.highest_effort) + 1]

    @property
    def wire_efforts(self) -> tuple[str, ...]:
        """The levels accepted on the wire: `ultra` exists on the client's side only."""
        return tuple(effort for effort in self.efforts if effort != "ultra")


MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel(
        slug="gpt-6.2-sol",
        priority=1,
        minimal_client_version="0.166.0",
        default_effort="low",
        context_window=500_000,
        ultra_effort="xhigh",
    ),
    SimulatedModel(
        slug="gpt-6.2-astra",
        priority=2,
        minimal_client_version="0.166.0",
        default_effort="low",
        ultra_effort="xhigh",
    ),
    SimulatedModel(
        slug="gpt-6.1-terra",
        priority=3,
        minimal_client_version="0.153.0",
        default_effort="low",
        context_window=500_000,
        ultra_effort="xhigh",
    ),
    SimulatedModel(
        slug="gpt-6.1-sol",
        priority=4,
        minimal_client_version="0.153.0",
        default_effort="low",
        context_window=500_000,
        ultra_effort="xhigh",
    ),
    SimulatedModel(
        slug="gpt-6-astra",
        priority=5,
        minimal_client_version="0.153.0",
        default_effort="low",
        ultra_effort="xhigh",
    ),
    SimulatedModel(
        slug="gpt-6-sol", priority=6, minimal_client_version="0.155.0", default_tier="priority"
    ),
    SimulatedModel(
        slug="gpt-6-luna",
        priority=7,
        minimal_client_version="0.155.0",
        highest_effort="max",
        default_tier="priority",
    ),
    SimulatedModel(
        slug="gpt-5.6-sol", priority=8, minimal_client_version="0.144.0", default_effort="low"
    ),
    SimulatedModel(slug="gpt-5.6-terra", priority=9, minimal_client_version="0.144.0"),
    SimulatedModel(
        slug="gpt-5.6-luna",
        priority=10,
        minimal_client_version="0.144.0",
        highest_effort="max",
        multi_agent="v1",
    ),
    SimulatedModel(
        slug="gpt-daybreak-blue-latest",
        priority=11,
        minimal_client_version="0.142.2",
        default_effort="low",
        tiers=(),
        hidden=True,
    ),
    SimulatedModel(
        slug="gpt-daybreak-red-latest",
        priority=12,
        minimal_client_version="0.142.2",
        context_window=372_000,
        max_context_window=372_000,
        tiers=(),
        hidden=True,
    ),
    SimulatedModel(
        slug="gpt-5.5",
        priority=13,
        minimal_client_version="0.124.0",
        highest_effort="xhigh",
        lite=False,
        max_context_window=272_000,
        multi_agent=None,
    ),
    SimulatedModel(
        slug="codex-auto-review",
        priority=43,
        minimal_client_version="0.98.0",
        highest_effort="max",
        hidden=True,
        multi_agent="v1",
        not_for=frozenset({"free", "k12", "edu", "education", "quorum"}),
    ),
)


def models_for(
    plan: str, *, client_version: str = "", only: tuple[str, ...] | None = None
) -> list[SimulatedModel]:
    """What an account of this plan may use with a client of this version."""
    version = parse_version(client_version)
    return [
        model
        for model in MODELS
        if plan not in model.not_for
        and (only is None or model.slug in only)
        and (version is None or version >= (parse_version(model.minimal_client_version) or ()))
    ]


def parse_version(text: str) -> tuple[int, ...] | None:
    """`0.169.0` as numbers; None when it is not a version."""
    parts = text.split("-", 1)[0].split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else None


def describe_model(model: SimulatedModel, *, plan: str) -> dict[str, Any]:
    """A model in the format of `/models`."""
    return {
        "slug": model.slug,
        "display_name": model.slug.title().replace("Gpt-", "GPT-"),
        "description": f"Simulated {model.slug}.",
        "default_reasoning_level": model.default_effort,
        "supported_reasoning_levels": [
            {"effort": effort, "description": f"{effort.title()} effort"}
            for effort in model.efforts
        ],
        "shell_type": "shell_command",
        "visibility": "hide" if model.hidden else "list",
        "supported_in_api": True,
        "priority": model.priority,
        "minimal_client_version": model.minimal_client_version,
        "available_in_plans": [plan],
        "context_window": model.context_window,
        "max_context_window": model.max_context_window,
        "auto_compact_token_limit": None,
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "input_modalities": ["text", "image"],
        "support_verbosity": True,
        "default_verbosity": "low",
        "supports_reasoning_summaries": True,
        "default_reasoning_summary": "none",
        "supports_parallel_tool_calls": True,
        "apply_patch_tool_type": "freeform",
        "web_search_tool_type": "text_and_image",
        "use_responses_lite": model.lite,
        "prefer_websockets": True,
        "tool_mode": None,
        "multi_agent_version": model.multi_agent,
        "multi_agent_reasoning_effort": model.ultra_effort,
        "supports_search_tool": True,
        "service_tiers": [
            {"id": tier, "name": tier.title(), "description": "Faster"} for tier in model.tiers
        ],
        "default_service_tier": model.default_tier,
        "additional_speed_tiers": [],
        "upgrade": None,
        "availability_nux": None,
        "base_instructions": "You are Codex, a coding agent (simulated).",
        "experimental_supported_tools": [],
    }
