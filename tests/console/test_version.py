"""The version is that of the installed distribution."""

import importlib.metadata

from codex_proapi.console.version import own_version


def test_the_version_is_that_of_the_distribution() -> None:
    assert own_version() == importlib.metadata.version("codex-proapi-console")
