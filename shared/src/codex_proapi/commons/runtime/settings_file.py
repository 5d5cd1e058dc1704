"""A file of settings beside the environment: `.env` (`NAME=value` lines) or TOML.

CODEX_PROAPI_CONFIG names it, for each process of ours; `codex-proapi --config FILE` does, too. What the
environment sets stands before it.
"""

import pathlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from codex_proapi.commons.runtime.errors import SettingsError
from codex_proapi.commons.runtime.setting_names import (
    KNOWN_NAMES,
    PREFIX,
    SECRET_NAMES,
    without_prefix,
)

CONFIG = f"{PREFIX}CONFIG"
"""The variable that names the file."""
MOST_BYTES = 1 << 20
"""A larger file is none of settings."""
LINE = re.compile(
    r"""\s*(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=\s*
    (?:'(?P<single>[^']*)'|"(?P<double>(?:[^"\\]|\\.)*)"|(?P<plain>(?:(?:(?<==)\#|[^'"\s#]).*?)?))
    \s*(?:(?<=\s)\#.*)?""",
    re.VERBOSE,
)
"""A line of a `.env` file: a value plain (until ` #`), in single quotes, or in double ones with `\\"`."""


def with_settings_file(environ: Mapping[str, str], path: str = "") -> dict[str, str]:
    """An environment with plain names (`setting_names`), completed from its file of settings.

    Args:
        environ: The environment; its CODEX_PROAPI_CONFIG names a file where `path` does not.
        path: Names the file before that.

    Raises:
        SettingsError: The file cannot be read, with a sentence for each fault.
    """
    found = {name: value for name, value in environ.items() if name != CONFIG}
    file = path or environ.get(CONFIG, "")
    if not file:
        return found
    read = read_settings_file(pathlib.Path(file).expanduser())
    kept = {n: v for n, v in read.items() if not found.get(_base(n)) and not found.get(_from(n))}
    return found | kept


def read_settings_file(path: pathlib.Path) -> dict[str, str]:
    """The settings in a file by plain name; SettingsError if it is none."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}."]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: is no text in UTF-8."]) from None
    if len(content) > MOST_BYTES:
        raise SettingsError([f"{path}: is too large for a file of settings."])
    return without_prefix(_toml(path, text) if path.suffix == ".toml" else _lines(path, text))


def _lines(path: pathlib.Path, text: str) -> dict[str, str]:
    """The variables of a `.env` file; those of other programs do no harm, as in the environment."""
    found: dict[str, str] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        read = LINE.fullmatch(line)
        if read is None:  # never with the line itself, which may have a secret
            faults.append(f"{path}: line {number} is no NAME=value, or its quotes do not end.")
            continue
        double = read["double"]
        value = read["single"] or read["plain"] or ""
        found[read["name"]] = re.sub(r"\\(.)", r"\1", double) if double is not None else value
    if faults:
        raise SettingsError(faults)
    return found


def _toml(path: pathlib.Path, text: str) -> dict[str, str]:
    """The settings of a TOML file: their names in either case, lists, and tables of pairs."""
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at (line \d+, column \d+|end of document)", str(error))
        raise SettingsError([f"{path}: is no TOML{f' ({at[0]})' if at else ''}."]) from None
    found: dict[str, str] = {}
    faults = []
    for key, value in read.items():
        name, told = key.upper().replace("-", "_"), _text(value)
        if _base(name.removeprefix(PREFIX)) not in KNOWN_NAMES:
            faults.append(f"{path}: {key} is not a setting of ours.")
        elif told is None:
            faults.append(f"{path}: {key} must be a text, a number, a list or a table of texts.")
        else:
            found[name] = told
    if faults:
        raise SettingsError(faults)
    return found


def _text(value: Any) -> str | None:
    """A value of TOML as the environment would have it; None if it cannot be one."""
    match value:
        case bool():
            return None
        case str() | int() | float():
            return str(value)
        case list():
            parts = [_text(each) for each in value if not isinstance(each, list | dict)]
            told = [part for part in parts if part is not None]
            return ",".join(told) if len(told) == len(value) else None
        case dict():
            pairs = {key: each for key, each in value.items() if isinstance(each, str)}
            told = [f"{key}={each}" for key, each in pairs.items()]
            return ",".join(told) if len(told) == len(value) else None
        case _:
            return None


def _base(name: str) -> str:
    """The setting that a name is of: of `X_FILE` X, where X may come from a file."""
    base = name.removesuffix("_FILE")
    return base if base in SECRET_NAMES else name


def _from(name: str) -> str:
    return f"{_base(name)}_FILE"
