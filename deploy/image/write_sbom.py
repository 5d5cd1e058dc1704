"""Writes what is in an image as a CycloneDX 1.6 document: Python distributions and Debian packages.

Run inside the image's own environment; standard library only.
"""  # noqa: INP001

import importlib.metadata
import json
import pathlib
import platform
import re
import sys
import urllib.parse
from collections.abc import Iterator
from typing import Any

DPKG = pathlib.Path("/var/lib/dpkg/status")


def main(name: str, target: str) -> None:
    """Write the document about image `name` to the file `target`."""
    pathlib.Path(target).write_text(json.dumps(document(name), indent=1) + "\n", encoding="utf-8")


def document(name: str, dpkg: pathlib.Path = DPKG) -> dict[str, Any]:
    """The document, sorted, so that equal images have equal documents."""
    found = {one["purl"]: one for one in (*distributions(), *debian_packages(dpkg), interpreter())}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": name}},
        "components": [found[purl] for purl in sorted(found)],
    }


def distributions() -> Iterator[dict[str, Any]]:
    """Every Python distribution that can be imported here."""
    for distribution in importlib.metadata.distributions():
        facts = distribution.metadata.json
        name = re.sub(r"[-_.]+", "-", str(facts["name"])).lower()
        licence = facts.get("license_expression", "")
        yield {
            "type": "library",
            "name": name,
            "version": distribution.version,
            "purl": f"pkg:pypi/{name}@{urllib.parse.quote(distribution.version)}",
            **({"licenses": [{"expression": licence}]} if licence else {}),
        }


def debian_packages(status: pathlib.Path) -> Iterator[dict[str, Any]]:
    """Every installed package of the base image, if it is a Debian."""
    for paragraph in status.read_text(encoding="utf-8").split("\n\n") if status.exists() else []:
        fields = dict(
            re.findall(r"^(Package|Version|Architecture|Status): (.+)$", paragraph, re.MULTILINE)
        )
        if fields.get("Status", "").endswith(" installed"):
            version = urllib.parse.quote(fields["Version"], safe="")
            name, machine = fields["Package"], fields["Architecture"]
            yield {
                "type": "library",
                "name": name,
                "version": fields["Version"],
                "purl": f"pkg:deb/debian/{name}@{version}?arch={machine}",
            }


def interpreter() -> dict[str, Any]:
    """Python itself, which a base image may have built from source."""
    version = platform.python_version()
    purl = f"pkg:generic/python@{version}"
    return {"type": "platform", "name": "python", "version": version, "purl": purl}


if __name__ == "__main__":
    main(*sys.argv[1:])
