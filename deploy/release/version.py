"""The version, wherever it is written, and the changelog's sections.

    version.py check [TAG]        every place has one version, and it is the tag's (`v1.2.3`)
    version.py cut 1.2.3          write it everywhere; the section `unreleased` gets it and today's date
    version.py notes 1.2.3        print the section of a version

`shared/pyproject.toml` is where the others look: see `version_of`.
"""  # noqa: INP001

import argparse
import datetime as dt
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NUMBER = r"(\d+\.\d+\.\d+)"
PLACES = {
    "shared/pyproject.toml": (rf'^version = "{NUMBER}"$',),
    "shared/native/pyproject.toml": (rf'^version = "{NUMBER}"$',),
    "services/*/pyproject.toml": (
        rf'^version = "{NUMBER}"$',
        rf'"codex-proapi-[a-z]+=={NUMBER}"',
    ),
    "deploy/local/pyproject.toml": (
        rf'^version = "{NUMBER}"$',
        rf'"codex-proapi-[a-z]+=={NUMBER}"',
    ),
    "deploy/Dockerfile": (rf"^ARG VERSION={NUMBER}$",),
    "deploy/compose/compose.yaml": (rf"IMAGE_TAG:-{NUMBER}\}}",),
    "deploy/compose/.env.example": (rf"^#IMAGE_TAG={NUMBER}$",),
    "deploy/k8s/**/kustomization.yaml": (rf'^    newTag: "{NUMBER}"$',),
    "deploy/helm/codex-proapi/Chart.yaml": (
        rf"^version: {NUMBER}$",
        rf'^appVersion: "{NUMBER}"$',
    ),
    "docs/running.md": (rf"codex-proapi/standalone:{NUMBER}",),
    "README.md": (rf"codex-proapi/standalone:{NUMBER}",),
}
"""Files, and in each the ways the version is written there."""
UNRELEASED = re.compile(r"^## (?:\d+\.\d+\.\d+ – )?unreleased$", re.MULTILINE)


class Refused(Exception):
    """A release cannot be cut, or what is released does not agree with itself."""


def version_of(root: pathlib.Path) -> str:
    """The version of a tree."""
    text = (root / "shared/pyproject.toml").read_text(encoding="utf-8")
    found = re.search(PLACES["shared/pyproject.toml"][0], text, re.MULTILINE)
    if found is None:
        raise Refused("shared/pyproject.toml has no version")
    return found[1]


def written(root: pathlib.Path) -> list[tuple[str, str]]:
    """Every place: (file, the version that is written there)."""
    found = []
    for glob, patterns in PLACES.items():
        paths = sorted(root.glob(glob))
        for pattern in patterns:
            inside = [
                (str(path.relative_to(root)), version)
                for path in paths
                for version in re.findall(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
            ]
            if not inside:
                raise Refused(f"{glob}: {pattern} is nowhere")
            found += inside
    return found


def check(root: pathlib.Path, tag: str | None) -> str:
    """The version all places agree on.

    Raises:
        Refused: A place has another one, or the tag does.
    """
    version = version_of(root)
    others = {f"{path} has {each}" for path, each in written(root) if each != version}
    if others:
        raise Refused(f"shared/pyproject.toml has {version}, but {', '.join(sorted(others))}")
    if tag is not None and tag != f"v{version}":
        raise Refused(f"the tag is {tag}, the version {version}")
    return version


def cut(root: pathlib.Path, version: str, date: dt.date) -> None:
    """Write a version everywhere and close the changelog's open section with it.

    Raises:
        Refused: It is no later version, or nothing is unreleased. Nothing has been written then.
    """
    if not re.fullmatch(NUMBER, version):
        raise Refused(f"{version} is no version such as 1.2.3")
    path = root / "CHANGELOG.md"
    changes = path.read_text(encoding="utf-8")
    if not UNRELEASED.search(changes):
        raise Refused("CHANGELOG.md has no section `## unreleased`")
    released = {name for name, _ in sections(changes)}
    if released and _numbers(version) <= max(map(_numbers, released)):
        raise Refused(f"{version} is not later than {max(released, key=_numbers)}")
    closed = UNRELEASED.sub(f"## {version} – {date.isoformat()}", changes, count=1)
    if not dict(sections(closed))[version]:
        raise Refused("nothing is written in the section `unreleased` of CHANGELOG.md")
    path.write_text(closed, encoding="utf-8")
    for glob, patterns in PLACES.items():
        for place in root.glob(glob):
            text = place.read_text(encoding="utf-8")
            for pattern in patterns:
                text = re.sub(
                    pattern, lambda m: m[0].replace(m[1], version), text, flags=re.MULTILINE
                )
            place.write_text(text, encoding="utf-8")


def sections(changes: str) -> list[tuple[str, str]]:
    """Every released version of a changelog with what is written about it, newest first."""
    parts = re.split(rf"^## {NUMBER} – \d{{4}}-\d\d-\d\d$", changes, flags=re.MULTILINE)[1:]
    texts = [re.split(r"^## ", text, flags=re.MULTILINE)[0].strip() for text in parts[1::2]]
    return list(zip(parts[::2], texts, strict=True))


def notes(root: pathlib.Path, version: str) -> str:
    """What the changelog says of a released version."""
    found = dict(sections((root / "CHANGELOG.md").read_text(encoding="utf-8")))
    if version not in found:
        raise Refused(f"CHANGELOG.md has no section of {version}")
    return found[version]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def main(arguments: list[str]) -> str:
    """Do what the command line says; gives what is to be printed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check").add_argument("tag", nargs="?")
    verbs.add_parser("cut").add_argument("version")
    verbs.add_parser("notes").add_argument("version")
    said = parser.parse_args(arguments)
    match said.verb:
        case "check":
            return check(ROOT, said.tag)
        case "notes":
            return notes(ROOT, said.version)
        case _:
            cut(ROOT, said.version, dt.datetime.now(dt.UTC).date())
            check(ROOT, None)
            return (
                f"{said.version} is written. Look at `git diff`, then\n"
                f"  git commit -am 'Release {said.version}' && git tag -s v{said.version} -m {said.version}"
            )


if __name__ == "__main__":
    try:
        sys.stdout.write(main(sys.argv[1:]) + "\n")
    except Refused as refused:
        sys.exit(str(refused))
