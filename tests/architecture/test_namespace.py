"""The members share one implicit namespace package (docs/decisions/0016)."""

from support.tree import MEMBERS, ROOT


def test_no_file_hides_the_other_members() -> None:
    assert [str(path) for path in ROOT.glob("**/src/codex_proapi/__init__.py")] == []


def test_each_member_is_a_portion_of_the_namespace() -> None:
    assert {path.parent.name for path in MEMBERS.values()} == {"codex_proapi"}


def test_one_member_owns_the_command() -> None:
    owners = [
        str(path.relative_to(ROOT))
        for path in ROOT.glob("**/pyproject.toml")
        if ".venv" not in path.parts and "[project.scripts]" in path.read_text()
    ]

    assert owners == ["services/console/pyproject.toml"]
