"""What all endpoints of a replica share: its rooms, and what they work with."""

import msgspec

from commons.clock import SharedClock
from commons.live_settings import HistoryMode
from commons.responses import ResponseStore
from commons.tasks import Tasks
from gateway.metrics import Metrics
from gateway.relay.allowances import Places
from gateway.relay.catalogues import Catalogues
from gateway.relay.dispatch import Dispatcher
from gateway.relay.exchange import Reader
from gateway.relay.pulse import Pulse
from gateway.relay.slots import Slots
from gateway.web.floor import Floor
from gateway.web.keys import Admission


class House:
    """What all endpoints of a replica share."""

    def __init__(
        self,
        *,
        admission: Admission,
        floor: Floor,
        catalogues: Catalogues,
        dispatcher: Dispatcher,
        responses: ResponseStore,
        places: Places,
        hands: "Hands",
    ) -> None:
        self.admission = admission
        self.floor = floor
        self.catalogues = catalogues
        self.dispatcher = dispatcher
        self.responses = responses
        self.places = places
        self.hands = hands
        self.history_mode = HistoryMode.STRUCTURED
        """How conversations are told to upstream; may change while running."""

    def __repr__(self) -> str:
        return f"<House with {self.floor!r}>"


class Hands(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint works with, beside its house's rooms."""

    clock: SharedClock
    metrics: Metrics
    pulse: Pulse
    tasks: Tasks
    slots: Slots
    readers: tuple[Reader, ...]
    """Who wants to know of settled exchanges."""
    patience: float
    """Seconds until a streaming client gets its 200 though nothing was said."""
