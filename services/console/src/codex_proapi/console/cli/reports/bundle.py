"""The report of `doctor --bundle`: what others need to see of an installation, and no secret."""

import platform
from collections.abc import Mapping
from typing import Any

import msgspec

from codex_proapi.commons.runtime.setting_names import KNOWN_NAMES
from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord
from codex_proapi.commons.usage.log_stream import LogStream
from codex_proapi.console.cli.opened_store import OpenedStore
from codex_proapi.console.cli.reports.findings import Finding
from codex_proapi.console.live.log_filter import LogFilter
from codex_proapi.console.live.logs import read_page
from codex_proapi.console.version import own_version

MOST_FAILED = 50
"""Failed requests in a report."""
FAILED = {Ending.REFUSED, Ending.BROKEN}
HARMLESS = KNOWN_NAMES - {
    *("REDIS_URL", "ENCRYPTION_KEYS", "ADMIN_PASSWORD", "DATA_DIR", "PUBLIC_URL", "HOST"),
    *("ALLOWED_HOSTS", "ALLOWED_ORIGINS", "OAUTH_REDIRECT_URI", "TRUSTED_PROXIES"),
    *("MODEL_ALIASES", "CODEX_BASE_URL", "CODEX_AUTH_URL"),
    *("UPSTREAM_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
}
"""Settings whose value says nothing of who or where one is; of the others only that they are set."""


class Bundle(msgspec.Struct, kw_only=True):
    """The report."""

    version: str
    python: str
    system: str
    settings: dict[str, str]
    """Settings that are set; `(set)` where the value could tell a secret, a name or a place."""
    findings: list[Finding] = []
    replicas: list[dict[str, Any]] = []
    """Service, version, draining and requests under way of what runs."""
    failed: list[dict[str, Any]] = []
    """The last failed requests: codes, sizes and times, no text."""

    async def read(self, store: OpenedStore) -> None:
        """Add what the store tells."""
        self.replicas = [
            {
                "service": each.service,
                "version": each.version,
                "draining": each.draining,
                "under_way": sum(each.in_flight.values()),
                "redis_faults": each.redis_faults,
            }
            for each in await store.replicas.all()
        ]
        wanted = LogFilter(levels=frozenset({"warning", "error"}), kinds=frozenset({"request"}))
        page = await read_page(LogStream(store.redis), wanted, limit=MOST_FAILED)
        records = [each.entry.exchange for each in page.entries]
        self.failed = [shape_of(r) for r in records if r is not None and r.ending in FAILED]


def bundle_of(environ: Mapping[str, str]) -> Bundle:
    """A report with what the process itself knows."""
    return Bundle(
        version=own_version(),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        settings={
            name: value if name in HARMLESS else "(set)"
            for name, value in sorted(environ.items())
            if value and name.removesuffix("_FILE") in KNOWN_NAMES
        },
    )


def shape_of(record: ExchangeRecord) -> dict[str, Any]:
    """A request by codes, sizes and times: no name, id of an account or key, or text."""
    return {
        "at": int(record.at),
        "endpoint": record.endpoint,
        "streamed": record.streamed,
        "model": record.sent_model,
        "ending": record.ending.value,
        "status": record.status,
        "code": record.code,
        "first_byte_ms": record.first_byte_ms,
        "total_ms": record.total_ms,
        "input_tokens": record.tokens.input,
        "output_tokens": record.tokens.output,
        "attempts": [
            {
                "verdict": attempt.verdict,
                "choice": attempt.choice,
                "status": attempt.status,
                "code": attempt.code,
                "milliseconds": attempt.milliseconds,
            }
            for attempt in record.attempts
        ],
    }
