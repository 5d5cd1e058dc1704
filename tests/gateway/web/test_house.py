from typing import Any

from commons.live_settings import HistoryMode
from gateway.web.floor import Floor
from gateway.web.house import House


def test_a_house_tells_conversations_in_structure_until_it_is_told_otherwise() -> None:
    names = ("admission", "catalogues", "dispatcher", "responses", "places", "hands")
    rooms: dict[str, Any] = dict.fromkeys(names)

    house = House(floor=Floor(most=3), **rooms)

    assert house.history_mode is HistoryMode.STRUCTURED
    assert repr(house).startswith("<House with <Floor")
