"""Puts together what the site is made of: `python deploy/docs/stage.py FOLDER`.

Pages of docs/ and of the repository's root, a list of decisions, the proxy examples and the site's
configuration. Links are written for the repository; here they are made to fit the site. A link to a
folder or a file that is no page stays as plain text.
"""  # noqa: INP001

import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
}
"""Pages of the repository's root, and what they are called on the site."""
EXAMPLES = "deploy/proxies"
DECISIONS = "decisions/index.md"


def stage(folder: pathlib.Path, root: pathlib.Path = ROOT) -> None:
    """Write everything into a folder, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    shutil.copytree(root / "docs", pages)
    for page in pages.rglob("*.md"):
        page.write_text(from_docs(page.read_text(encoding="utf-8")), encoding="utf-8")
    for source, name in PAGES.items():
        text = (root / source).read_text(encoding="utf-8")
        (pages / name).write_text(from_root(text), encoding="utf-8")
    listed = [linked(path) for path in sorted((root / "docs" / "decisions").glob("*.md"))]
    (pages / DECISIONS).write_text("\n".join(["# Decisions\n", *listed, ""]), encoding="utf-8")
    shutil.copytree(root / EXAMPLES, pages / EXAMPLES)
    shutil.copy(HERE / "mkdocs.yml", folder)


def from_docs(text: str) -> str:
    """A page of docs/ with its links to the root fit to the site."""
    for source, name in PAGES.items():
        text = text.replace(f"](../{source}", f"]({name}")
    return text.replace(f"](../{EXAMPLES}/", f"]({EXAMPLES}/")


def from_root(text: str) -> str:
    """A page of the root with its links fit to the site."""
    text = text.replace("](docs/decisions)", f"]({DECISIONS})").replace("](docs/", "](")
    for source, name in PAGES.items():
        text = text.replace(f"]({source}", f"]({name}")
    return re.sub(r"\[([^\]]+)\]\(deploy/[^)]*\)", r"\1", text)


def linked(path: pathlib.Path) -> str:
    """The line of a decision in their list."""
    title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    return f"- [{title}]({path.name})"


if __name__ == "__main__":
    stage(pathlib.Path(sys.argv[1]))
