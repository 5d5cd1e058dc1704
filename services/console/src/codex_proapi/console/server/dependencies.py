"""Type of the handler arguments that `app.py` provides.

They are excluded from Litestar's validation, which would run on every request and has no schema for
some of the Structs' fields.
"""

from typing import TypeAlias, TypeVar

from litestar.di import NamedDependency
from litestar.params import SkipValidation

T = TypeVar("T")

Injected: TypeAlias = NamedDependency[SkipValidation[T]]
"""`logs: Injected[LogStream]` is the object that `app.py` provides as `logs`."""
