"""The version of this distribution."""

import importlib.metadata


def own_version() -> str:
    """The version of this distribution, as its metadata has it."""
    return importlib.metadata.version("codex-proapi-console")
