"""Names of settings in the environment: ours, those of other programs, and `CODEX_PROAPI_…`. Pure.

Every setting may be written with the prefix `CODEX_PROAPI_`, which nobody else uses: in a shell of
one's own, HOST or LOG_LEVEL may be another program's. Without the prefix, the names of the
containers' settings go on working.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

STRICT = ("CODEX_", "COMMIT_PATIENCE", "DRAIN_", "REDIS_GRACE_", "TRUSTED_PROX", "UPSTREAM_PROX")
"""A name that begins so is ours or the Codex CLI's (`FOREIGN_NAMES`)."""

PREFIX = "CODEX_PROAPI_"
"""Stands before any setting's name; such a name is ours, whatever comes after it."""

OURS = (
    *("CODEX_", "OAUTH_", "API_KEY_", "ADMIN_", "ENCRYPTION_", "HISTORY_", "ROUTING"),
    *("TRUSTED_PROX", "DEFAULT_MODEL", "MODEL_ALIAS", "PUBLIC_URL", "REDIS_URL", "LOG_LEVEL"),
    *("ALLOWED_ORIGIN", "DATA_DIR", "COMMIT_PATIENCE", "DRAIN_", "QUOTA_", "REDIS_GRACE_"),
    *("UPSTREAM_PROX", "NATIVE_"),
)
"""How names of settings begin."""

KNOWN_NAMES = frozenset(
    {
        *("HOST", "PORT", "REDIS_URL", "DATA_DIR", "PUBLIC_URL", "OAUTH_REDIRECT_URI"),
        *("ALLOWED_ORIGINS", "ALLOWED_HOSTS", "TRUSTED_PROXIES", "API_KEY_POLICY"),
        *("ADMIN_PASSWORD", "ENCRYPTION_KEYS", "LOG_LEVEL", "LOG_SELECTIONS"),
        *("CODEX_BASE_URL", "CODEX_AUTH_URL", "CODEX_CLIENT_ID", "CODEX_CLIENT_VERSION"),
        *("CODEX_ORIGINATOR", "DEFAULT_MODEL", "MODEL_ALIASES", "HISTORY_MODE", "ROUTING"),
        *("REASONING_SUMMARY", "COMMIT_PATIENCE", "WHOLE_PATIENCE", "QUOTA_POLL_SECONDS"),
        *("QUOTA_RESERVE", "DRAIN_SECONDS", "DRAIN_SETTLE_SECONDS", "REDIS_GRACE_SECONDS"),
        *("ACCOUNT_STREAMS", "BODY_MEMORY_MIB", "FAIR_SHARE_BELOW", "MAX_CONCURRENT"),
        *("UPSTREAM_PROXY", "UPSTREAM_TRANSPORT", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("ALERT_NETWORKS", "MODEL_FALLBACKS", "MODEL_SUBSTITUTION", "SMALL_WORK_MODELS"),
        *("LUNA_RESERVE", "METRICS_TOKEN", "NATIVE_CODE"),
        "UPSTREAM_IDLE_SECONDS",
    }
)
"""Names of all our processes together, so that one file of settings can serve them all."""

SECRET_NAMES = frozenset(
    {
        *("REDIS_URL", "ENCRYPTION_KEYS", "ADMIN_PASSWORD", "METRICS_TOKEN"),
        *("UPSTREAM_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    }
)
"""Those that may come from a file, `…_FILE`."""

FOREIGN_NAMES = re.compile(
    r"CODEX_(HOME|CI|API_KEY|ACCESS_TOKEN|THREAD_ID|SANDBOX\w*|INTERNAL_\w+|MANAGED_\w+"
    r"|APP_SERVER_\w+|RE(FRESH|VOKE)_TOKEN_URL_OVERRIDE|NETWORK_\w+|EXEC_\w+|PROXY_\w+)"
)
"""Names the Codex CLI sets or reads: no fault when we are started from within it."""

LIKE = 0.85
"""How alike two names are (difflib) of which one is the other, mistyped."""

_TRIPLET = re.compile(r".*-(conda|linux|apple|unknown|pc|w64)(-|$).*")
"""A compiler's name of a machine, `x86_64-conda-linux-gnu`: conda exports it as HOST."""
_HOST = re.compile(r"[A-Za-z0-9.:%\[\]-]+")


class PlainNames(NamedTuple):
    """An environment whose settings have their plain names."""

    environ: dict[str, str]
    warnings: list[str]
    """A sentence for each variable that was passed over."""


def with_plain_names(environ: Mapping[str, str]) -> PlainNames:
    """A process' environment with each `CODEX_PROAPI_X` as `X`, which stands before a plain `X`.

    A plain name of everybody's is passed over where its value cannot be meant for us.
    """
    found, warnings = dict(environ), []
    for name, is_foreign in (("HOST", _no_host), ("PORT", _no_port)):
        if found.get(name) and is_foreign(found[name]):
            del found[name]
            if not environ.get(f"{PREFIX}{name}"):
                warnings.append(
                    f"{name} is passed over: its value is another program's."
                    f" {PREFIX}{name} sets ours."
                )
    return PlainNames(without_prefix(found), warnings)


def without_prefix(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with each `CODEX_PROAPI_X` as `X`."""
    prefixed = {name: value for name, value in environ.items() if _is_prefixed(name) and value}
    found = {name: value for name, value in environ.items() if not _is_prefixed(name)}
    for name in prefixed:
        base = name.removeprefix(PREFIX).removesuffix("_FILE")
        found.pop(base, None)
        found.pop(f"{base}_FILE", None)
    return found | {name.removeprefix(PREFIX): value for name, value in prefixed.items()}


def unknown_names(environ: Iterable[str], known: frozenset[str]) -> list[str]:
    """Of an environment's names those that must be mistyped settings of ours.

    Every unknown name that begins as only ours do; of the others those that begin like ours and
    are nearly one of them. ADMIN_EMAIL is somebody else's.
    """
    known = known | KNOWN_NAMES
    return [
        name
        for name in sorted(environ)
        if name.startswith(OURS)
        and name.removesuffix("_FILE") not in known
        and not FOREIGN_NAMES.fullmatch(name)
        and (name.startswith(STRICT) or _like(name, known))
    ]


def _is_prefixed(name: str) -> bool:
    plain = name.removeprefix(PREFIX)
    base = plain.removesuffix("_FILE")
    return plain != name and (plain in KNOWN_NAMES or (base != plain and base in SECRET_NAMES))


def _like(name: str, known: frozenset[str]) -> bool:
    return bool(difflib.get_close_matches(name.removesuffix("_FILE"), known, 1, LIKE))


def _no_host(value: str) -> bool:
    """Whether a text is neither an address nor a name of a host."""
    return not _HOST.fullmatch(value.strip()) or bool(_TRIPLET.fullmatch(value.strip()))


def _no_port(value: str) -> bool:
    """Whether a text is an address, as container links set it (`tcp://10.0.0.1:80`)."""
    return "://" in value
