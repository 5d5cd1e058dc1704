"""What a test may not leave changed for those that follow it in the same process."""

import gc
import locale
import logging
import os
import pathlib
import time
from typing import Any

from codex_proapi.commons.native import NATIVE


def process_state() -> dict[str, Any]:
    """Name → value of what belongs to the whole process and decides how later tests go."""
    environment = dict(os.environ)
    environment.pop("PYTEST_CURRENT_TEST", None)
    return {
        "the root log's level": logging.root.level,
        "the environment": environment,
        "the working directory": pathlib.Path.cwd(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the time zone": time.tzname,
        "what compiled functions are used": NATIVE.code,
        "the garbage collector": (gc.isenabled(), gc.get_threshold()),
    }
