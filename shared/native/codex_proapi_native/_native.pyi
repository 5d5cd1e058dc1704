from typing import Self, final

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
