"""The command line on the tests' Redis, as in the console's container."""

import pytest
from cryptography.fernet import Fernet


@pytest.fixture
def environ(redis_url: str) -> dict[str, str]:
    return {
        "REDIS_URL": redis_url,
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "CODEX_AUTH_URL": "http://127.0.0.1:9",  # nothing listens there, and nobody else is asked
    }
