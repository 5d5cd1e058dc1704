from collections.abc import Callable
from typing import Any, Self, final

@final
class DeltaCopier:
    number: int
    def __new__(
        cls,
        lines: bytes,
        fields: tuple[tuple[bytes, bytes], ...],
        around: tuple[bytes, bytes] | None,
        number: int,
        /,
    ) -> Self: ...
    def feed(self, data: bytes, /) -> bytes | None: ...
    def translate(self, events: bytes, /) -> tuple[bytes, int] | None: ...
    def stop(self) -> tuple[bytes, bytes, int]: ...

@final
class DeltaRelay:
    limit: int
    @property
    def noted(self) -> bool: ...
    def __new__(
        cls,
        copier: DeltaCopier,
        cycle: Any,
        *,
        times: Any,
        full: Callable[[], object],
        other: Callable[[bytes], object],
        limit: int,
        noted: bool,
    ) -> Self: ...
    def received(self, data: bytes, /) -> None: ...
    def stop(self) -> None: ...
