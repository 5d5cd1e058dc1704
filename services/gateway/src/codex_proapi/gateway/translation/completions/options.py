"""How one completions client wants its answer, as its request has it."""

import msgspec

from codex_proapi.gateway.translation.chat.options import ChatOptions


class CompletionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this client wants its answer."""

    include_usage: bool = False
    """Whether a stream ends with a usage chunk."""
    stop: tuple[str, ...] = ()
    """Strings to cut the text at."""
    structured: bool = False
    """Whether the answer must be JSON, so that commentary is left out."""
    echo: str = ""
    """What stands before the answer's text: the prompt where `echo` is asked for."""

    def __repr__(self) -> str:
        return f"<CompletionOptions{' with echo' if self.echo else ''}>"

    def of_chat(self) -> ChatOptions:
        """The same for the state machine of chat answers."""
        return ChatOptions(
            include_usage=self.include_usage, stop=self.stop, structured=self.structured
        )
