"""What is committed runs anywhere: no registry host, no path of one machine, no large file."""

import re
import subprocess

from support.tree import ROOT

HOSTS = re.compile(
    rb"pypi\.or" + rb"g|pythonhoste" + rb"d\.org|npmjs\." + rb"(org|com)|deb\.debia" + rb"n\.org"
)
PLACES = re.compile(rb"(?<![\w.])/(work|farm)/(main|steering|shared|plan|in)/")


def _tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [name for name in listing.stdout.decode().split("\0") if name]


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    found = [
        name
        for name in _tracked()
        if (ROOT / name).is_file() and _names_a_place((ROOT / name).read_bytes())
    ]

    assert found == []


def test_no_file_is_larger_than_a_megabyte() -> None:
    assert [
        n for n in _tracked() if (ROOT / n).is_file() and (ROOT / n).stat().st_size > 2**20
    ] == []


def _names_a_place(content: bytes) -> bool:
    return bool(HOSTS.search(content) or PLACES.search(content))
