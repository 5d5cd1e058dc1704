"""The tests mirror the sources: one test file for each module, and none without a module."""

import pathlib

import pytest
from support.tree import MEMBERS, ROOT, modules

WITHOUT_OWN_TEST = {"__init__", "__main__"}


def _mirror(member: str, path: pathlib.Path) -> pathlib.Path:
    inside = path.relative_to(MEMBERS[member])
    return ROOT / "tests" / member / inside.with_name(f"test_{inside.name}")


@pytest.mark.parametrize("member", MEMBERS)
def test_each_module_has_its_test_file(member: str) -> None:
    wanted = {
        _mirror(member, path).relative_to(ROOT)
        for _, path in modules(member)
        if path.stem not in WITHOUT_OWN_TEST
    }

    assert {str(path) for path in wanted if not (ROOT / path).exists()} == set()
