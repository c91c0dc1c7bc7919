"""A toy coverage result, with names as hostile as files can hold."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from shapely import LineString, Point, box

from tests.requirements import missing
from web.drawing import CoverageDrawing

# a machine busy with other tests is no reason to fail
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
THRESHOLDS = (300, 600, 900)
HOSTILE = "</script><img src=x onerror=alert(1)>"
WEST, SOUTH, SIDE = 118.70, 32.00, 0.02


def square(column: int, row: int, cells: int = 1) -> object:
    x, y = WEST + column * SIDE, SOUTH + row * SIDE
    return box(x, y, x + cells * SIDE, y + cells * SIDE)


def area_rows() -> list[dict[str, object]]:
    """A city of one district, four subdistricts (the last without people) and two grid cells."""
    rows = [
        ("320100000000", "临江市", "city", 4000.0, 40_000.0, 0.5, square(0, 0, 2)),
        ("320102000000", "江南区", "district", 4000.0, 40_000.0, 0.5, square(0, 0, 2)),
        ("320102001000", "东街道", "subdistrict", 1000.0, 10_000.0, 1.0, square(0, 0)),
        ("320102002000", HOSTILE, "subdistrict", 2000.0, 10_000.0, 0.25, square(1, 0)),
        ("320102003000", "=1+1", "subdistrict", 1000.0, 10_000.0, 0.5, square(0, 1)),
        ("320102004000", "无人街道", "subdistrict", 0.0, 10_000.0, 0.0, square(1, 1)),
        ("320102001001001", "网格一", "grid_cell", 1000.0, 5_000.0, 1.0, square(0, 0)),
        ("320102001001002", "网格二", "grid_cell", 0.0, 5_000.0, 0.0, None),
    ]
    return [
        {"code": code, "name": name, "level": level, "parent": "", "people": people, "street_m": street, "reports": 3.0,
         "mean_s": 400.0 if people else np.nan, "median_s": 380.0, "p95_s": 800.0, "unreached_people": 0.0,
         **{f"covered_people_{t}": people * share * t / 900 for t in THRESHOLDS},
         **{f"covered_street_m_{t}": street * share * t / 900 for t in THRESHOLDS},
         **{f"covered_reports_{t}": 1.0 for t in THRESHOLDS},
         "access": 0.001, "note_zh": "", "note_en": "", "geometry": shape}
        for code, name, level, people, street, share, shape in rows
    ]  # fmt: skip


def segment_rows(count: int = 12) -> list[dict[str, object]]:
    """Streets from west to east, ever further from help; the last cannot be reached at all."""
    rows = []
    for i in range(count):
        y = SOUTH + (i + 0.5) * 2 * SIDE / count
        seconds = 150.0 * (i + 1) if i < count - 1 else np.nan
        rows.append(
            {"segment_id": i, "name": f"{i}路", "street_class": "residential", "length_m": 3_700.0, "at_u_s": seconds,
             "at_v_s": seconds, "longest_s": seconds, "mean_s": seconds, "point": "SP1", "second_point": "",
             "second_s": np.nan, **{f"covered_m_{t}": 100.0 for t in THRESHOLDS},
             "geometry": LineString([(WEST, y), (WEST + SIDE, y + 0.001), (WEST + 2 * SIDE, y)])}
        )  # fmt: skip
    return rows


def point_rows() -> list[dict[str, object]]:
    blank = {"phone": "025-1234", "address": "", "withheld": False, "capacity": np.nan}
    return [
        {"code": "SP1", "name": "甲服务点", "kind": "service-points", "functions": "reception,guidance",
         "hours": "Mo-Fr 08:30-17:30", **blank, "geometry": Point(118.71, 32.01)},
        {"code": "SP2", "name": f"{HOSTILE}乙", "kind": "service-points", "functions": "guidance", "hours": "24/7",
         **blank, "geometry": Point(118.72, 32.02)},
        {"code": "SP3", "name": "庇护所秘密", "kind": "service-points", "functions": "temporary_service",
         "hours": "24/7", **blank, "withheld": True, "geometry": Point(118.73, 32.03)},
        {"code": "RS1", "name": "市救助管理站", "kind": "rescue-stations", "functions": "", "hours": "24/7", **blank,
         "geometry": Point(118.725, 32.015)},
        {"code": "SP4", "name": "无坐标点", "kind": "service-points", "functions": "", "hours": "", **blank,
         "geometry": None},
    ]  # fmt: skip


@pytest.fixture
def draw() -> Callable[..., CoverageDrawing]:
    """Make the toy result, with any field replaced."""

    def make(**changed: object) -> CoverageDrawing:
        table = lambda rows: gpd.GeoDataFrame(pd.DataFrame(rows), geometry="geometry", crs=4326)  # noqa: E731
        gaps = pd.DataFrame(
            {"code": ["320102002000"], "name": [HOSTILE], "level": ["subdistrict"], "rank": [1], "segment_id": [7],
             "street": ["=HYPERLINK(1)"], "gap_m": [120.0], "longest_s": [np.nan]}
        )  # fmt: skip
        fields: dict[str, object] = {
            "city": "临江市", "level": "subdistrict", "thresholds_s": THRESHOLDS, "areas": table(area_rows()),
            "segments": table(segment_rows()), "points": table(point_rows()), "tables": {"gaps": gaps},
            "notes": (("人口按街面长度分摊", "People spread by street length"),), "question": ("步行", "on foot"),
            "data_date": "2026-07-01", "fictional": True, "approximate": True,
            "attribution": "© OpenStreetMap contributors", "approval_number": "GS(2026)0000号",
        }  # fmt: skip
        return CoverageDrawing(**{**fields, **changed})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], tuple[str, list[str]]]:
    """Open a page in Chromium without a network; return its document after scripts and its console's messages."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        missing("Chromium")

    def open_page(path: Path) -> tuple[str, list[str]]:
        profile = tmp_path_factory.mktemp("profile")
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "--enable-logging=stderr",
             "--virtual-time-budget=3000", "--dump-dom", path.as_uri()],
            capture_output=True, text=True, timeout=120, check=True, env={**os.environ, "LANG": "C.UTF-8"},
        )  # fmt: skip
        return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]

    return open_page
