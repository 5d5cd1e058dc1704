"""How a handler asks for an object that `app.py` made.

Litestar would check each such object against its annotation on every request, and cannot do so for
Structs with fields it has no schema for; they are ours, so nothing is checked.
"""

from typing import TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.params import SkipValidation

T = TypeVar("T")

Injected: TypeAlias = NamedDependency[SkipValidation[T]]
"""`logs: Injected[LogStream]` is the object that `app.py` provides as `logs`."""
