"""How many tokens answers have, from this process' own: what a request under way holds of a budget in money."""

from typing import Final

from codex_proapi.commons.usage.exchange_record import Ending, ExchangeRecord

WEIGHT: Final = 1 / 16
"""Weight of each further answer in the mean."""
MOST_MODELS: Final = 64


class ExpectedOutput:
    """Mean output of the latest answers, by the model that was sent."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<ExpectedOutput of {len(self._means)} models>"

    def settle(self, record: ExchangeRecord) -> None:
        """Take in a whole answer whose tokens upstream told."""
        made, model = record.tokens.output, record.sent_model
        if record.ending is not Ending.WHOLE or not made or not model:
            return
        mean = self._means.get(model)
        if mean is not None:
            self._means[model] = mean + (made - mean) * WEIGHT
        elif len(self._means) < MOST_MODELS:
            self._means[model] = float(made)

    def of(self, model: str) -> int:
        """Tokens to expect of a model; 0 if it has not answered here yet."""
        return round(self._means.get(model, 0.0))
