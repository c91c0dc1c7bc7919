"""A store of the demo town with its patrols on record, to be asked and not to be changed."""

from collections.abc import Iterator

import pytest

from layers.demo_city.build import build_demo_city
from layers.store import Store


@pytest.fixture(scope="session")
def linjiang(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    city = build_demo_city("town")
    store = Store(str(tmp_path_factory.mktemp("linjiang") / "town.sqlite"))
    store.create()
    layers = {
        ("streets", ""): city.streets, **{("areas", level): table for level, table in city.areas.items()},
        ("reports", ""): city.reports, ("patrol-effort", ""): city.patrol_effort,
    }  # fmt: skip
    for (layer, part), table in layers.items():
        store.import_layer(layer, part, table, source="demo", sha256="0")
    yield store
    store.close()
