"""The members share one implicit namespace package (docs/decisions/0016)."""

import tomllib

from support.tree import MEMBERS, ROOT


def test_no_file_hides_the_other_members() -> None:
    assert [str(path) for path in ROOT.glob("**/src/codex_proapi/__init__.py")] == []


def test_each_member_is_a_portion_of_the_namespace() -> None:
    assert {path.parent.name for path in MEMBERS.values()} == {"codex_proapi"}


def test_the_command_is_the_consoles_also_where_another_member_declares_it() -> None:
    scripts = {
        str(path.relative_to(ROOT)): tomllib.loads(path.read_text())["project"]["scripts"]
        for path in ROOT.glob("**/pyproject.toml")
        if ".venv" not in path.parts and "[project.scripts]" in path.read_text()
    }

    command = {"codex-proapi": "codex_proapi.console.cli.__main__:main"}
    assert scripts == dict.fromkeys(scripts, command)
    assert scripts.keys() == {"services/console/pyproject.toml", "deploy/local/pyproject.toml"}
