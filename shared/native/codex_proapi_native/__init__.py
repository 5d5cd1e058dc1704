"""Compiled functions for the hottest loops of Codex Pro API.

They are found through `codex_proapi.commons.native`, which does without them where they are missing.
"""

from codex_proapi_native._native import DeltaCopier, DeltaRelay

__all__ = ["DeltaCopier", "DeltaRelay"]
