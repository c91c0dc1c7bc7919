"""Points of tracks as phones hand them over: read, checked row by row, never stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from gis.errors import FileRefusedError, RecordError
from gis.file_bundles import files_in
from gis.file_guard import scratch_folder
from gis.files import read_table
from gis.notes import LamplightNote
from layers.columns import field_sources
from layers.parsing import Parsed, parse_column, text_of
from layers.reasons import REASONS
from layers.records import Field, LayerSchema
from layers.shapes import EXPECTED, check_shapes

TRACKS = LayerSchema("tracks", "轨迹", (
    Field("track", "text", "轨迹", ("轨迹编号", "轨迹名称", "track_id", "trip", "trip_id", "name", "任务编号")),
    Field("person", "text", "人员", (
        "网格员", "姓名", "人员姓名", "巡查员", "worker", "user", "设备", "设备编号", "device", "device_id", "手机号",
    )),
    Field("time", "datetime", "时间", (
        "定位时间", "采集时间", "上报时间", "gps时间", "日期时间", "timestamp", "datetime", "date_time", "recorded_at",
    ), required=True),
), "point")  # fmt: skip
#: How long points of tracks are kept, in days, unless somebody says otherwise.
KEEP_DAYS = 90
REJECT_COLUMNS = ("file", "row", "code", "zh", "en")
#: Numbers from here on count seconds since 1970, from there on milliseconds: both mean years from 2001 to 2286.
_EPOCH_S, _EPOCH_MS = 1e9, 1e12


@dataclass(frozen=True, slots=True, eq=False)
class TrackPoints:
    """The verdict on every row: accepted + rejected = given.

    accepted : file, track, person (text, "" where not said), time (local, naive), lon, lat (WGS84 degrees, if the
    datum was right), in the order of the rows. rejected : one line a row left out, as ``layers.validation`` writes
    them, with the file's name.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    notes: tuple[LamplightNote, ...]


def read_tracks(
    path: Path,
    *,
    datum: str = "wgs84",
    now: datetime,
    timezone: str = "Asia/Shanghai",
    columns: Mapping[str, str] | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> TrackPoints:
    """Read the points of one file, of every file in a folder, or of a zip: GPX, CSV, XLSX, GeoJSON and other tables.

    datum : what coordinates are in where the file's own headings do not say. now : local time of the city; later
    points are rejected. columns : field -> column, where headings do not tell. tell : told each file's name.
    Raises FileRefusedError where a file cannot be read, RecordError where it has no times.
    """
    parts, notes = [], []
    with scratch_folder() as folder:
        for name, file in files_in(path, Path(folder)):
            tell(name)
            try:
                read = read_table(file, datum=datum)
            except FileRefusedError as refusal:
                if file.name == name:
                    raise
                raise FileRefusedError(f"{name}：{refusal.zh}", f"{name}: {refusal.en}") from None
            parts.append(check_points(read.table, name, now=now, timezone=timezone, columns=columns))
            notes += [LamplightNote(f"{name}：{n.zh}", f"{name}: {n.en}") for n in read.notes]
    accepted = pd.concat([part.accepted for part in parts], ignore_index=True)
    rejected = pd.concat([part.rejected for part in parts], ignore_index=True)
    return TrackPoints(accepted, rejected, tuple(notes))


def check_points(
    table: pd.DataFrame,
    file: str,
    *,
    now: datetime,
    timezone: str = "Asia/Shanghai",
    columns: Mapping[str, str] | None = None,
) -> TrackPoints:
    """Check the rows of a table (WGS84 ``geometry``, columns under any known heading) that came from ``file``.

    Raises RecordError where there is no column of times.
    """
    headings = [c for c in table.columns if c != "geometry"]
    sources = field_sources(TRACKS, headings, columns)
    if "time" not in sources:
        listed = ", ".join(map(str, headings))
        raise RecordError(f"{file}：缺少时间列；文件中的列：{listed}", f"{file}: no column of times; it has {listed}")
    time_field = TRACKS.field("time")
    given = table[sources["time"].column].reset_index(drop=True)
    times = _times(time_field, given, timezone)
    shapes = check_shapes("point", np.asarray(table["geometry"], object))
    names = {"field": time_field.name, "field_zh": time_field.zh}
    expected_zh, expected = EXPECTED["point"]
    late = (times.values > pd.Timestamp(now)).to_numpy(bool)
    verdicts = [
        (shapes.absent, "no_coordinates", {}),
        (shapes.off_globe, "bad_coordinates", {}),
        (shapes.wrong_kind, "wrong_geometry", {"expected": expected, "expected_zh": expected_zh}),
        (times.blank, "missing_value", names),
        (times.wrong, times.reason, names),
        (late, "future_date", names),
    ]
    rejected = _rejects(table, file, given, verdicts)
    kept = np.ones(len(table), bool)
    kept[rejected["row"].to_numpy(np.int64) - 1] = False
    texts = {
        name: table[sources[name].column].map(text_of).to_numpy(object) if name in sources else np.full(len(table), "")
        for name in ("track", "person")
    }
    points = shapes.shapes[kept]
    accepted = pd.DataFrame(
        {
            "file": np.full(int(kept.sum()), file, object),
            "track": texts["track"][kept].astype(object),
            "person": texts["person"][kept].astype(object),
            "time": times.values[kept].to_numpy("datetime64[us]"),
            "lon": shapely.get_x(points).astype(np.float64),
            "lat": shapely.get_y(points).astype(np.float64),
        }
    )
    return TrackPoints(accepted, rejected, ())


def _times(field: Field, given: pd.Series, timezone: str) -> Parsed:
    """Read times, those counted from 1970 too."""
    if pd.api.types.is_numeric_dtype(given):
        counted = given.to_numpy(np.float64)
        since_1970 = np.abs(counted) >= _EPOCH_S
        if since_1970.any():
            seconds = np.where(np.abs(counted) >= _EPOCH_MS, counted / 1000.0, counted)
            utc = pd.to_datetime(pd.Series(np.where(since_1970, seconds, np.nan)), unit="s", utc=True, errors="coerce")
            local = utc.dt.tz_convert(timezone).dt.tz_localize(None).astype("datetime64[us]")
            blank = np.isnan(counted)
            return Parsed(local, blank, ~blank & local.isna().to_numpy(), "bad_date")
    return parse_column(field, given, timezone=timezone)


def _rejects(
    table: pd.DataFrame,
    file: str,
    given: pd.Series,
    verdicts: list[tuple[NDArray[np.bool_], str, dict[str, str]]],
) -> pd.DataFrame:
    """List the rows that any verdict is against, each with the first."""
    reason = np.full(len(table), -1)
    for i, (against, _, _) in enumerate(verdicts):
        reason[(reason < 0) & against] = i
    out = np.flatnonzero(reason >= 0)
    rows = []
    for row in out:
        _, code, words = verdicts[reason[row]]
        words = {**words, "value": text_of(given.iloc[row])[:60]}
        zh, en = (sentence.format(**words) for sentence in REASONS[code])
        rows.append((file, row + 1, code, zh, en))
    return pd.DataFrame(rows, columns=list(REJECT_COLUMNS)).astype({"row": np.int64})
