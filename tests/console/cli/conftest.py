"""The command line on a data directory of its own."""

import pathlib

import pytest


@pytest.fixture
def environ(tmp_path: pathlib.Path) -> dict[str, str]:
    return {"DATA_DIR": str(tmp_path / "data")}
