"""Token counts of one answer, in five kinds. Pure."""

import msgspec


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one answer, as upstream reported them (`usage` of the Responses API).

    `input` includes `cached` and `cache_write`; `output` includes `reasoning`.
    """

    input: int = 0
    """Prompt tokens, cached ones included."""
    cached: int = 0
    """Prompt tokens read from upstream's prompt cache."""
    cache_write: int = 0
    """Prompt tokens written to upstream's prompt cache."""
    output: int = 0
    """Completion tokens, reasoning included."""
    reasoning: int = 0
    """Completion tokens spent on reasoning."""

    @property
    def total(self) -> int:
        """Input and output together."""
        return self.input + self.output

    def __add__(self, other: "Tokens") -> "Tokens":
        """Sum kind by kind."""
        return Tokens(
            input=self.input + other.input,
            cached=self.cached + other.cached,
            cache_write=self.cache_write + other.cache_write,
            output=self.output + other.output,
            reasoning=self.reasoning + other.reasoning,
        )
