"""Encodes a key's quota for Codex clients, in the backend's headers and usage response.

The inverse of `commons.codex.quota_parser`. It encodes a key's share, never an account's quota. The
CLI's decoder is strict (openai/codex, `backend-client` and `codex-api`, seen in 0.169.0, 2026-11):
windows are integers, `rate_limit_reached_type` is an object, `plan_type` is one of a closed set.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from codex_proapi.commons.codex.quota_parser import (
    DEFAULT_FAMILY,
    Quota,
    QuotaFamily,
    QuotaWindow,
    window_name,
)
from codex_proapi.commons.runtime.lenient_json import write

FURTHER: Final = "API key"
"""Name of each further family; the CLI shows it before the length: `API key Monthly limit`."""
GUEST: Final = "guest"
"""Plan of clients with a key: known to every CLI version, and without an offer to upgrade."""
REACHED: Final = "rate_limit_reached"
SLOTS: Final = ("primary", "secondary")


def quota_of_windows(windows: Iterable[QuotaWindow]) -> Quota:
    """A quota of these windows: the two shortest are the general family, each other one a family."""
    known = sorted(windows, key=lambda window: window.minutes)
    families = [QuotaFamily(id=DEFAULT_FAMILY, windows=tuple(known[: len(SLOTS)]))] if known else []
    for window in known[len(SLOTS) :]:
        name = window_name(window.minutes)
        families.append(QuotaFamily(id=f"{DEFAULT_FAMILY}_{name}", name=FURTHER, windows=(window,)))
    reached = any(window.spent for window in known)
    return Quota(
        plan=GUEST,
        active_limit=DEFAULT_FAMILY,
        families=tuple(families),
        reached=reached,
        reached_type=REACHED if reached else "",
    )


def headers_of_quota(quota: Quota) -> list[tuple[str, str]]:
    """The headers of an answer; empty without a window.

    At most two windows, the shortest and the fullest of the others: if headers have a second family,
    the CLI does not show the general one (seen in 0.169.0, `/status` and its sessions).
    """
    windows = [window for family in quota.families for window in family.windows]
    if not windows:
        return []
    told = [windows[0], *sorted(windows[1:], key=lambda window: -window.used_percent)]
    headers = [
        ("x-codex-active-limit", quota.active_limit),
        ("x-codex-plan-type", quota.plan),
        ("x-codex-credits-has-credits", "False"),
        ("x-codex-credits-unlimited", "False"),
    ]
    if quota.reached_type:
        headers.append(("x-codex-rate-limit-reached-type", quota.reached_type))
    for slot, window in zip(SLOTS, told, strict=False):
        headers += [
            (f"x-codex-{slot}-used-percent", str(_percent(window))),
            (f"x-codex-{slot}-window-minutes", str(window.minutes)),
            (f"x-codex-{slot}-reset-at", str(window.resets_at)),
            (f"x-codex-{slot}-reset-after-seconds", str(window.resets_in or 0)),
        ]
    return headers


def usage_of_quota(quota: Quota) -> bytes:
    """The body of a usage response, without an account's identity."""
    general = next((f.windows for f in quota.families if f.id == DEFAULT_FAMILY), ())
    return write(
        {
            "user_id": None,
            "account_id": None,
            "email": None,
            "plan_type": quota.plan,
            "rate_limit": _rate_limit(general, reached=quota.reached) if general else None,
            "code_review_rate_limit": None,
            "additional_rate_limits": [
                {
                    "limit_name": family.name,
                    "metered_feature": family.id,
                    "rate_limit": _rate_limit(family.windows, reached=family.windows[0].spent),
                    "normal_model_slug": None,
                }
                for family in quota.families
                if family.id != DEFAULT_FAMILY
            ],
            "credits": {
                "has_credits": False,
                "unlimited": False,
                "overage_limit_reached": False,
                "balance": None,
            },
            "spend_control": {"reached": False, "individual_limit": None},
            "rate_limit_reached_type": {"type": quota.reached_type} if quota.reached else None,
            "promo": None,
        }
    )


def _rate_limit(windows: Sequence[QuotaWindow], *, reached: bool) -> dict[str, Any]:
    slots = dict.fromkeys(SLOTS) | dict(zip(SLOTS, map(_window, windows), strict=False))
    return {
        "allowed": not reached,
        "limit_reached": reached,
        **{f"{slot}_window": told for slot, told in slots.items()},
    }


def _window(window: QuotaWindow) -> dict[str, int]:
    return {
        "used_percent": _percent(window),
        "limit_window_seconds": window.minutes * 60,
        "reset_after_seconds": window.resets_in or 0,
        "reset_at": window.resets_at,
    }


def _percent(window: QuotaWindow) -> int:
    """Rounded down, so that 100 means that nothing is left."""
    return int(min(100, window.used_percent))
