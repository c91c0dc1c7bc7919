"""Pictures of hotspots: one A4 page a kind, lettered, repeatable, for any shape of city."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gis.crs import to_metric
from layers.store import Store
from tests.web import hotspot_toy as toy
from web import fonts, hotspot_charts, hotspot_picture
from web.hotspot_charts import backtest_picture
from web.hotspot_drawing import HotspotDrawing, hotspot_drawing
from web.hotspot_panels import ground_of, hottest_window
from web.hotspot_picture import MAP_ROOM, MOST_PERIODS, periods_of, rooms_of
from web.picture_page import Figure

DRAWN = [kind for kind in toy.TABLES if kind != "hotspot-backtest"]


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, HotspotDrawing]]:
    store = Store(toy.town_store(str(tmp_path_factory.mktemp("town") / "city.db")).address)
    runs = {kind: toy.hotspot_run(store, kind, make()) for kind, make in toy.TABLES.items()}
    yield {kind: hotspot_drawing(store, run) for kind, run in runs.items()}
    store.close()


def write(what: HotspotDrawing, path: Path) -> bytes:
    (backtest_picture if what.kind == "hotspot-backtest" else hotspot_picture.hotspot_picture)(what, path)
    return path.read_bytes()


@pytest.mark.parametrize("kind", list(toy.TABLES))
def test_a_picture_is_an_a4_page_with_much_drawn_on_it(
    kind: str, drawings: dict[str, HotspotDrawing], tmp_path: Path
) -> None:
    write(drawings[kind], tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        width, height = image.size
        assert abs(width / height - 297 / 210) < 0.01
        assert len(np.unique(np.asarray(image.convert("L")))) > 100


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is put on the page or on its axes."""
    texts: list[str] = []
    from matplotlib.text import Text

    plain = Text.__init__

    def keep(self: Text, *args: object, **named: object) -> None:
        plain(self, *args, **named)  # type: ignore[arg-type]
        texts.append(self)  # type: ignore[arg-type]

    monkeypatch.setattr(Text, "__init__", keep)
    return texts


def said(texts: list[str]) -> str:
    return "\n".join(text.get_text() for text in texts)  # type: ignore[attr-defined]


def test_the_map_says_unit_period_channel_source_and_that_not_looked_is_not_none_found(
    drawings: dict[str, HotspotDrawing], written: list[str], tmp_path: Path
) -> None:
    write(drawings["hotspot-map"], tmp_path / "a.png")
    page = said(written)
    for words in ("people who can be found per week", "2025-07-01 to 2026-06-30", "all channels", "invented data",
                  "fictional city", "GS(2026)0000号", "not looked, unknown", "looked, none found",
                  "significant hot spot", "63.2 (51.0–77.9)", "2 km"):  # fmt: skip
        assert words in page, words


@pytest.mark.parametrize("kind", list(toy.TABLES))
def test_without_a_chinese_font_nothing_is_written_in_boxes(
    kind: str, drawings: dict[str, HotspotDrawing], written: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = fonts.lettering((fonts.WITHOUT,))
    for module in (hotspot_picture, hotspot_charts):
        monkeypatch.setattr(module, "lettering", lambda: bare)
    write(drawings[kind], tmp_path / "a.png")
    page = said(written)
    assert fonts.NO_CHINESE_FONT in page
    assert [line for line in page.splitlines() if not bare.can(line)] == []


def test_no_text_of_a_page_runs_over_its_edge(
    drawings: dict[str, HotspotDrawing], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for kind, what in drawings.items():
        figures: list[Figure] = []
        for module in (hotspot_picture, hotspot_charts):
            monkeypatch.setattr(module, "save", lambda figure, path, kept=figures: kept.append(figure))
        (backtest_picture if kind == "hotspot-backtest" else hotspot_picture.hotspot_picture)(what, tmp_path / "a.png")
        figure = figures[0]
        figure.draw_without_rendering()
        whole = figure.bbox
        for axes in [figure, *figure.axes]:
            for text in axes.texts:
                box = text.get_window_extent()
                assert box.x1 <= whole.x1 and box.x0 >= 0 and box.y0 >= 0, (kind, text.get_text())


def test_periods_are_steps_then_quarters_then_years(drawings: dict[str, HotspotDrawing]) -> None:
    what = drawings["hotspot-emerging"]
    names, share, single = periods_of(what)
    assert names == ["2024 Q3", "2024 Q4", "2025 Q1", "2025 Q2", "2025 Q3", "2025 Q4", "2026 Q1", "2026 Q2"]
    assert share.shape == (8, len(what.cells)) and not single and len(names) <= MOST_PERIODS
    steps = what.tables["steps"]
    last = steps[steps["step"] >= "2026-04-01"].groupby(["column", "row"])["hot"].mean()
    own = [last[c, r] for c, r in zip(what.cells["column"], what.cells["row"], strict=True)]
    assert np.allclose(share[-1], own)
    short = replace(what, tables={**what.tables, "steps": steps[steps["step"] >= "2025-09-01"]})
    names, share, single = periods_of(short)
    assert single and len(names) == 10 and names[0] == "2025-09"


def test_a_circle_is_drawn_only_where_it_holds_its_cluster_s_cells(drawings: dict[str, HotspotDrawing]) -> None:
    what = drawings["hotspot-scan"]
    ground = ground_of(what, fonts.lettering())
    clusters = what.tables["clusters"]
    x, y = to_metric(clusters["lon"].to_numpy(), clusters["lat"].to_numpy(), ground.scene.crs)
    assert hotspot_picture._held_by_circles(what, ground, x, y).all()
    x[1] += 400.0
    assert hotspot_picture._held_by_circles(what, ground, x, y).tolist() == [True, False, True, True]


@given(st.floats(1e3, 2e5), st.floats(1e3, 2e5), st.floats(0.4, 0.7))
def test_panels_share_the_room_without_overlap(wide: float, high: float, main: float) -> None:
    rooms = [shapely.box(x, y, x + w, y + h) for x, y, w, h in rooms_of((0.0, 0.0, wide, high), main)]
    left, bottom, width, height = MAP_ROOM
    whole = shapely.box(left, bottom, left + width, bottom + height).buffer(1e-9)
    assert all(whole.contains(room) for room in rooms)
    assert all(a.intersection(b).area < 1e-9 for i, a in enumerate(rooms) for b in rooms[:i])


def test_the_close_up_shows_where_most_weight_lies(drawings: dict[str, HotspotDrawing]) -> None:
    ground = ground_of(drawings["hotspot-map"], fonts.lettering())
    middle = shapely.centroid(ground.scene.lines)
    x, y = shapely.get_x(middle), shapely.get_y(middle)
    at = int(np.argmax(x + y))
    weight = np.where(np.hypot(x - x[at], y - y[at]) < 200, 1.0, 0.0)
    weight[0] = np.nan
    left, bottom, right, top = hottest_window(ground, weight, 1.3)
    held = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
    assert weight[held].sum() >= 0.9 * np.nansum(weight)
    assert (right - left) / (top - bottom) == pytest.approx(1.3)
