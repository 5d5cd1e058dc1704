"""Imports every module of the packages named, so that a missing dependency stops the build.

`__main__` modules are left out: importing one may start it.
"""  # noqa: INP001

import importlib
import pkgutil
import sys


def modules_of(package: str) -> list[str]:
    """Names of a package and of everything inside it."""
    found = importlib.import_module(package)
    inside = pkgutil.walk_packages(found.__path__, f"{package}.", onerror=importlib.import_module)
    return [package, *(module.name for module in inside if not module.name.endswith(".__main__"))]


def main(packages: list[str]) -> None:
    """Import them all; the first failure is the traceback."""
    names = [name for package in packages for name in modules_of(package)]
    for name in names:
        importlib.import_module(name)
    print(f"imported {len(names)} modules of {', '.join(packages)}")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
