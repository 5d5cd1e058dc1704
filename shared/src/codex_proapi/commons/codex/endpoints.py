"""URLs of the Codex backend, built from CODEX_BASE_URL (`…/backend-api/codex`)."""


def responses_url(base_url: str) -> str:
    """Where requests for answers are posted."""
    return f"{base_url.rstrip('/')}/responses"


def models_url(base_url: str, client_version: str) -> str:
    """Where an account's models are listed; those that need a newer client version are left out."""
    return f"{base_url.rstrip('/')}/models?client_version={client_version}"


def usage_url(base_url: str) -> str:
    """Where an account's quota is read (`wham/usage`): beside the `codex` of the base URL."""
    return f"{base_url.rstrip('/').removesuffix('/codex')}/wham/usage"


def saved_resets_url(base_url: str) -> str:
    """Where an account's saved resets are listed, beside the usage."""
    return f"{base_url.rstrip('/').removesuffix('/codex')}/wham/rate-limit-reset-credits"


def redeem_url(base_url: str) -> str:
    """Where one of them is redeemed (POST)."""
    return f"{saved_resets_url(base_url)}/consume"


def authorize_url(issuer: str) -> str:
    """The page where a browser signs in, without its query parameters."""
    return f"{issuer.rstrip('/')}/oauth/authorize"
