"""Small work: requests that a client makes beside its user's own, and the models they may go to. Pure.

A class is told by route, headers, model name or declared shape (`gateway.translation.small_work`).
"""

import enum
from collections.abc import Mapping

from codex_proapi.commons.api_keys.model_fallbacks import pairs_of


class WorkClass(enum.StrEnum):
    """The classes of small work."""

    COMPACTION = "compaction"
    """A summary of the conversation as text, by Claude Code or Codex."""
    REMOTE_COMPACTION = "remote_compaction"
    """A compacted history as an encrypted item, which the conversation's own model reads later."""
    AUXILIARY = "auxiliary"
    """Claude Code's titles, summaries of pages it fetched, and checks."""
    HAIKU = "haiku"
    """A model of Claude's haiku family by name, in Anthropic's API."""
    AUTO_REVIEW = "auto_review"
    """Codex' review of a command that waits for approval."""
    MEMORY = "memory"
    """Codex' notes for later sessions."""
    UI_TASK = "ui_task"
    """A chat front's titles, tags, questions to follow and searches, as Open WebUI declares them."""


class WorkOutcome(enum.StrEnum):
    """What became of a request of small work."""

    OFF = "off"
    """No model is set for its class."""
    MOVED = "moved"
    """The model of its class was sent."""
    SAME = "same"
    """The client asked for a model of small work already."""
    UNKNOWN_MODEL = "unknown_model"
    """The catalogue lacks the model, so the one that was asked for was sent, as in all that follow."""
    NOT_ALLOWED = "not_allowed"
    """The key may not use the model."""
    IMAGES = "images"
    """The request has images, which the model does not take."""
    CONTEXT = "context"
    """The request is longer than the model's context window."""
    REFUSED = "refused"
    """The model could not serve the request in its shape, no account could serve it, or the backend
    refused it."""


NONE = "none"
"""A key's `small_work_models` that wants none."""


def small_models_of(own: str, general: Mapping[str, str]) -> Mapping[str, str]:
    """The models by class that hold for a key.

    Args:
        own: the key's `small_work_models`; `none`, which has no pair, wants none.
        general: the setting's.
    """
    return pairs_of(own) if own else general


def unknown_classes(classes: Mapping[str, str]) -> list[str]:
    """Names that are no class of this version."""
    return [name for name in classes if name not in set(WorkClass)]
