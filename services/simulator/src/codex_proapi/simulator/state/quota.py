"""An account's quota in the backend's three forms: headers, stream event, usage response."""

from typing import Any

from codex_proapi.simulator.state.accounts import SimulatedAccount

_WEEK = 10_080
_FIVE_HOURS = 300


def windows(account: SimulatedAccount, now: float) -> list[dict[str, int]]:
    """The one or two windows of a plan: used percent, length in minutes, reset.

    They are an account's own, as upstream's begin with its use: the calendar says nothing of them.
    """
    account.windows_since = account.windows_since or now
    lengths = [_WEEK] if account.plan in ("pro", "free") else [_FIVE_HOURS, _WEEK]
    found = []
    for position, minutes in enumerate(lengths):
        used = account.used_percent if position == 0 else account.used_percent / 3
        seconds = minutes * 60
        began = int(account.windows_since - account.window_passed * seconds)
        resets_at = began + (int(now - began) // seconds + 1) * seconds
        found.append({"used": min(100, int(used)), "minutes": minutes, "resets_at": resets_at})
    return found


def is_spent(account: SimulatedAccount) -> bool:
    """Whether the first window is used up."""
    return account.used_percent >= 100  # noqa: PLR2004 - percent


def limit_headers(account: SimulatedAccount, now: float) -> dict[str, str]:
    """The `x-codex-*` headers of an answer. Pro has its week in `primary` and no `secondary`."""
    headers = {
        "x-codex-active-limit": "premium" if account.plan == "plus" else "codex",
        "x-codex-plan-type": account.plan,
        "x-codex-primary-over-secondary-limit-percent": "0",
        "x-codex-credits-has-credits": "False",
        "x-codex-credits-unlimited": "False",
        "x-codex-credits-balance": "0",
    }
    known = windows(account, now)
    for position, slot in enumerate(("primary", "secondary")):
        if position >= len(known):
            headers |= {
                f"x-codex-{slot}-used-percent": "0",
                f"x-codex-{slot}-window-minutes": "0",
                f"x-codex-{slot}-reset-at": "",
                f"x-codex-{slot}-reset-after-seconds": "0",
            }
            continue
        window = known[position]
        headers |= {
            f"x-codex-{slot}-used-percent": str(window["used"]),
            f"x-codex-{slot}-window-minutes": str(window["minutes"]),
            f"x-codex-{slot}-reset-at": str(window["resets_at"]),
            f"x-codex-{slot}-reset-after-seconds": str(int(window["resets_at"] - now)),
        }
    return headers


def limit_event(account: SimulatedAccount, now: float) -> dict[str, Any]:
    """The `codex.rate_limits` event of a stream."""
    known = windows(account, now)
    reported = [
        {
            "used_percent": window["used"],
            "window_minutes": window["minutes"],
            "reset_at": window["resets_at"],
        }
        for window in known
    ]
    return {
        "type": "codex.rate_limits",
        "plan_type": account.plan,
        "rate_limits": {
            "allowed": not is_spent(account),
            "limit_reached": is_spent(account),
            "primary": reported[0],
            "secondary": reported[1] if len(reported) > 1 else None,
        },
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
        "metered_limit_name": None,
        "limit_name": None,
    }


def reserve_limits(account: SimulatedAccount, now: float) -> list[dict[str, Any]]:
    """The limit of the reserve as `additional_rate_limits` has it; empty if there is none."""
    if account.reserve_used is None:
        return []
    resets_at = windows(account, now)[-1]["resets_at"]
    return [
        {
            "metered_feature": "base_model_inference",
            "limit_name": "gpt-reserve",
            "normal_model_slug": account.reserve_model,
            "rate_limit": {
                "allowed": account.reserve_used < 100,  # noqa: PLR2004 - percent
                "limit_reached": account.reserve_used >= 100,  # noqa: PLR2004 - percent
                "primary_window": {
                    "used_percent": account.reserve_used,
                    "limit_window_seconds": 7 * 86_400,
                    "reset_after_seconds": int(resets_at - now),
                    "reset_at": resets_at,
                },
                "secondary_window": None,
            },
        }
    ]


def usage_report(account: SimulatedAccount, now: float, *, reserve: bool = False) -> dict[str, Any]:
    """The body of `GET /wham/usage`; with the reserve if it was asked for."""
    reported = [
        {
            "used_percent": window["used"],
            "limit_window_seconds": window["minutes"] * 60,
            "reset_after_seconds": int(window["resets_at"] - now),
            "reset_at": window["resets_at"],
        }
        for window in windows(account, now)
    ]
    return {
        "user_id": account.user_id,
        "account_id": account.workspace,
        "email": account.email,
        "plan_type": account.plan,
        "rate_limit": {
            "allowed": not is_spent(account),
            "limit_reached": is_spent(account),
            "primary_window": reported[0],
            "secondary_window": reported[1] if len(reported) > 1 else None,
        },
        "code_review_rate_limit": None,
        "additional_rate_limits": reserve_limits(account, now) if reserve else [],
        "model_usage": None,
        "credits": {
            "has_credits": False,
            "unlimited": False,
            "overage_limit_reached": False,
            "balance": "0",
            "approx_local_messages": [0, 0],
            "approx_cloud_messages": [0, 0],
        },
        "spend_control": {"reached": False, "individual_limit": None},
        "rate_limit_reached_type": None,
        "promo": None,
        "referral_beacon": None,
        "rate_limit_reset_credits": {
            "available_count": sum(
                not each.redeemed_by and each.expires_at > now for each in account.saved_resets
            )
        },
    }
