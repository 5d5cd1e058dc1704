"""The version is one, and cutting a release writes it everywhere and closes the changelog."""

import datetime as dt
import pathlib
import runpy
import shutil
from typing import Any

import pytest
from support.tree import ROOT

SCRIPT = runpy.run_path(str(ROOT / "deploy" / "release" / "version.py"))
CUT, CHECK, NOTES, PLACES = (SCRIPT[name] for name in ("cut", "check", "notes", "PLACES"))
REFUSED: type[Exception] = SCRIPT["Refused"]
DAY = dt.date(2027, 1, 2)


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """The files with a version, and a changelog, as they are here."""
    paths = [path for glob in PLACES for path in ROOT.glob(glob)]
    for path in [*paths, ROOT / "CHANGELOG.md"]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def changelog(tree: pathlib.Path, *sections: str) -> None:
    tree.joinpath("CHANGELOG.md").write_text("# Changelog\n\n" + "\n\n".join(sections) + "\n")


def test_every_place_has_the_version() -> None:
    assert CHECK(ROOT, None)


def test_a_place_that_differs_is_named(tree: pathlib.Path) -> None:
    place = tree / "deploy" / "local" / "pyproject.toml"
    place.write_text(place.read_text().replace('version = "', 'version = "9', 1))

    with pytest.raises(REFUSED, match=r"deploy/local/pyproject\.toml has 9"):
        CHECK(tree, None)


def test_a_tag_is_the_version(tree: pathlib.Path) -> None:
    version = CHECK(tree, None)

    assert CHECK(tree, f"v{version}") == version
    with pytest.raises(REFUSED, match="the tag is v0"):
        CHECK(tree, "v0.0.9")


@pytest.mark.parametrize("heading", ["unreleased", "9.8.7 – unreleased"])
def test_a_release_is_written_everywhere(tree: pathlib.Path, heading: str) -> None:
    changelog(tree, f"## {heading}\n\n- Something.", "## 0.0.1 – 2026-01-01\n\n- The first.")

    CUT(tree, "9.8.7", DAY)

    assert CHECK(tree, "v9.8.7") == "9.8.7"
    assert NOTES(tree, "9.8.7") == "- Something."
    assert NOTES(tree, "0.0.1") == "- The first."
    assert "unreleased" not in (tree / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("version", "sections", "complaint"),
    [
        ("9.8", ["## unreleased\n\n- Something."], "no version such as"),
        ("9.8.7", ["## 9.8.6 – 2026-01-01\n\n- Something."], "no section `## unreleased`"),
        ("9.8.7", ["## unreleased", "## 9.8.6 – 2026-01-01\n\n- Old."], "nothing is written"),
        ("9.8.7", ["## unreleased\n\n- New.", "## 9.8.7 – 2026-01-01\n\n- Old."], "not later"),
        ("9.8.7", ["## unreleased\n\n- New.", "## 9.10.0 – 2026-01-01\n\n- Old."], "not later"),
    ],
)
def test_what_is_no_release_changes_nothing(
    tree: pathlib.Path, version: str, sections: list[str], complaint: str
) -> None:
    changelog(tree, *sections)
    before: dict[Any, str] = {p: p.read_text() for p in tree.rglob("*") if p.is_file()}

    with pytest.raises(REFUSED, match=complaint):
        CUT(tree, version, DAY)

    assert {path: path.read_text() for path in before} == before


def test_a_version_without_a_section_has_no_notes(tree: pathlib.Path) -> None:
    changelog(tree, "## unreleased\n\n- Something.")

    with pytest.raises(REFUSED, match="no section of 9"):
        NOTES(tree, "9.8.7")
