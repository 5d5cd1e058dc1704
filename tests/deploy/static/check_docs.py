"""The site of the documents: it builds, its links lead somewhere, and it asks nobody else."""

import pathlib
import re
import runpy
import subprocess

import pytest
from deploy.toolbox import DEPLOY, output, run

STAGE = runpy.run_path(str(DEPLOY / "docs" / "stage.py"))["stage"]


def built(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return run("zensical", "build", "--strict", cwd=folder)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("docs") / "stage"
    STAGE(folder)
    output("zensical", "build", "--strict", cwd=folder)
    return folder / "site"


def test_every_page_is_there(site: pathlib.Path) -> None:
    pages = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}

    assert {"index", "running", "settings", "changelog", "security", "contributing"} <= pages
    assert "decisions/index" in pages
    assert "decisions/0001-members" in pages
    assert (site / "deploy" / "proxies" / "nginx.conf").exists()


def test_no_page_asks_another_host(site: pathlib.Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        asked = re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="?(https?:[^" >]*)', text)
        asked += re.findall(r'<link[^>]*\bhref="?(https?:[^" >]*)', text)

        assert asked == [], page.name


@pytest.mark.parametrize(
    ("old", "new"), [("(settings.md)", "(setings.md)"), ("(#sizing)", "(#siezing)")]
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: pathlib.Path, old: str, new: str) -> None:
    STAGE(tmp_path / "stage")
    page = tmp_path / "stage" / "pages" / "running.md"
    assert old in page.read_text()
    page.write_text(page.read_text().replace(old, new))

    assert built(tmp_path / "stage").returncode != 0
