"""The demo town in a store, as the tests of pages serve it."""

from pathlib import Path

from layers.demo_city.build import build_demo_city, write_demo_city
from layers.imports import import_file
from layers.store import Store
from planner.runs import city_tiles
from tests.gis.unguarded_reading import unguarded
from web.server.app import create_app
from web.server.settings import Settings

SECRET = "a secret of the tests, long enough to be taken"
SETTINGS = {"city_name": "临江市 Linjiang", "timezone": "Asia/Shanghai", "fictional": "yes", "data_date": "2026-03-31",
            "attribution": "虚构数据 fictional data"}  # fmt: skip


def fill(url: str, folder: Path) -> None:
    """Make the demo town's store."""
    store = Store(url)
    store.create()
    with unguarded():
        for layer, part, path in write_demo_city(build_demo_city("town"), folder):
            import_file(store, layer, path, part=part or None)
    for name, value in SETTINGS.items():
        store.set_setting(name, value)
    city_tiles(store)  # as the import verb does
    served = create_app(Settings(url, SECRET, secure=False)).extensions
    served["lamplight.city"].current()  # derive what is slow once
    served["lamplight.store"].close()  # PostgreSQL copies no database that is in use
    store.close()
