"""Addresses of the Codex backend, from the base that CODEX_BASE_URL names (`…/backend-api/codex`)."""


def responses_url(base_url: str) -> str:
    """Where requests for answers are posted."""
    return f"{base_url.rstrip('/')}/responses"


def models_url(base_url: str, client_version: str) -> str:
    """Where an account's models are listed; models refuse versions older than their minimum."""
    return f"{base_url.rstrip('/')}/models?client_version={client_version}"


def usage_url(base_url: str) -> str:
    """Where an account's quota is told: beside the `codex` of the base address."""
    return f"{base_url.rstrip('/').removesuffix('/codex')}/wham/usage"


def authorize_url(issuer: str) -> str:
    """Where a browser signs in, without its parameters."""
    return f"{issuer.rstrip('/')}/oauth/authorize"
