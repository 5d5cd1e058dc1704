"""Keeps what the services would log off the standard output of a command."""

import contextlib
import logging
from collections.abc import Iterator

import structlog


@contextlib.contextmanager
def without_log() -> Iterator[None]:
    """Nothing below CRITICAL is logged meanwhile: a command says itself what happened."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
