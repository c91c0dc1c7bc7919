"""Ask one question of every county: idempotent jobs on an executor, whole files only, one row a county."""

import io
import os
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TypeAlias

import geopandas as gpd
import pandas as pd

from gis.errors import LamplightError, QuestionError
from layers.codes import LEVELS
from layers.records import POINT_LAYERS
from layers.run import Run, parquet_bytes
from layers.store import Store
from planner.batch.counties import County
from planner.batch.loading import county_store, input_hash, is_store
from planner.batch.summary import Row, figures, row, summary
from planner.coverage_question import CoverageQuestion
from planner.executors.runs import at_once, open_executor
from planner.runs import run_coverage, run_siting, software
from planner.siting.question import SitingQuestion

Question: TypeAlias = CoverageQuestion | SitingQuestion
#: Tables kept of each county, one folder a table; the county's own row is written last and says that all are there.
TABLES = {"coverage": ("areas", "segments", "points", "notes"), "siting": ("sites", "areas", "segments", "notes")}
COUNTIES = "counties"
#: A county under way when a process died is tried again, from its third try on alone, so that it kills no other's try.
ATTEMPTS, ALONE_AFTER = 5, 2
_DRAFT = ".draft-"
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of every county, of files in which datum, and where the answers go (an absolute path)."""

    question: Question
    datum: str
    out: str
    software: str


def run_batch(
    counties: Iterable[County],
    question: Question,
    out: Path,
    *,
    datum: str = "wgs84",
    workers: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    hear: Callable[[Row], None] = lambda row: None,
) -> pd.DataFrame:
    """Ask ``question`` of every county, keep the answers in ``out``, and return the summary, one row a county.

    A county whose answer to the same question of the same records is there already is not asked again, so a batch that
    was broken off goes on. A county that cannot be answered has the reason in its row. cancelled : once it says so, no
    county is begun; those under way are finished. hear : told each row as it comes. What ``out`` holds of a county's
    earlier records is removed. datum : of files whose names do not say it. Raises ExecutorError without an executor.
    """
    ask = Ask(question, datum, str(out.absolute()), software())
    out.mkdir(parents=True, exist_ok=True)
    work = _Work(ask, workers, cancelled, hear)
    work.answer(list(counties))
    table = summary(work.rows)
    _sweep(out, table)
    return table


def answer_county(county: County, ask: Ask) -> Row:
    """Answer one county, or find its answer kept, and return its row; whatever is wrong with it is said in the row."""
    started = monotonic()
    try:
        found = _answer(county, ask)
    except LamplightError as error:
        found = row(county, "failed", (error.zh, error.en))
    except Exception as error:  # no county may stop the others, whatever its records bring to light
        said = f"{type(error).__name__}: {error}"
        found = row(county, "failed", (f"程序出错：{said}", f"the program failed: {said}"))
    return {**found, "seconds": round(monotonic() - started, 3)}


def _answer(county: County, ask: Ask) -> Row:
    if ask.software != software():
        raise QuestionError(
            f"工作进程的软件版本是 {software()}，而不是 {ask.software}",
            f"the worker runs {software()}, not {ask.software}",
        )
    out = Path(ask.out)
    asked = {"kind": _kind(ask.question), "software": ask.software, **ask.question.parameters}
    if not is_store(county.source):
        key = input_hash(county, asked, ask.datum)
        if _path(out, COUNTIES, county, key).exists():
            return _kept(out, county, key)
    with county_store(county, ask.datum) as (store, imported):
        run = _run(store, ask.question)
        county = replace(county, name=imported.name)
        if is_store(county.source):  # what is in a store is known by its run
            key = run.id
            if _path(out, COUNTIES, county, key).exists():
                return _kept(out, county, key)
        words = ("；".join(zh for zh, _ in imported.remarks), "; ".join(en for _, en in imported.remarks))
        found = row(county, "answered", words, **figures(run), refused=imported.refused, hash=key)
        _write(out, county, key, run, store, found)
    return found


def _run(store: Store, question: Question) -> Run:
    if isinstance(question, SitingQuestion):
        return run_siting(store, question)
    return run_coverage(store, question)


def _kind(question: Question) -> str:
    return "siting" if isinstance(question, SitingQuestion) else "coverage"


def _kept(out: Path, county: County, key: str) -> Row:
    table = pd.DataFrame(gpd.read_parquet(_path(out, COUNTIES, county, key)).drop(columns="geometry"))
    return {**{str(name): value for name, value in table.iloc[0].items()}, "state": "kept"}


# --- files ---------------------------------------------------------------------------------------------------------


def _path(out: Path, table: str, county: County, key: str) -> Path:
    return out / table / f"{county.code}-{key}.parquet"


def _write(out: Path, county: County, key: str, run: Run, store: Store, found: Row) -> None:
    """Write a county's tables with what they look like on a map, its own row last."""
    shapes = _area_shapes(store)
    for name in TABLES[run.kind]:
        table = run.tables[name]
        if len(table):
            table = table.assign(county=county.code)[["county", *table.columns]]
            _write_whole(_geoparquet(_placed(name, table, store, shapes)), _path(out, name, county, key))
    own = pd.DataFrame([{k: v for k, v in found.items() if k != "state"}])
    outline = gpd.GeoDataFrame(own, geometry=[shapes.get(county.code)], crs=4326)
    _write_whole(_geoparquet(outline), _path(out, COUNTIES, county, key))


def _area_shapes(store: Store) -> dict[str, object]:
    """Return the shape of every area and grid cell by its code."""
    kept = store.current()
    shapes: dict[str, object] = {}
    for layer, part in [*(("areas", str(level)) for level in LEVELS), ("grid-cells", "")]:
        if (layer, part) in kept:
            table = store.load(layer, part, fields=("code",))
            shapes |= dict(zip(table["code"].astype(str), table.geometry, strict=True))
    return shapes


def _placed(name: str, table: pd.DataFrame, store: Store, shapes: Mapping[str, object]) -> pd.DataFrame:
    """Return a run's table with its geometry in WGS84, where it has any."""
    if name == "areas":
        geometry = table["code"].astype(str).map(shapes)
    elif name == "segments":
        streets = store.load("streets", fields=("segment_id",)).set_index("segment_id").geometry
        geometry = streets.reindex(table["segment_id"])
    elif name == "points":
        kept = [layer for layer in POINT_LAYERS if (layer, "") in store.current()]
        points = pd.concat([store.load(layer, fields=("code",)) for layer in kept]).drop_duplicates("code")
        geometry = points.set_index("code").geometry.reindex(table["code"])
    elif name == "sites":
        geometry = gpd.points_from_xy(table["lon"], table["lat"])
    else:
        return table
    placed: pd.DataFrame = gpd.GeoDataFrame(table, geometry=list(geometry), crs=4326)
    return placed


def _geoparquet(table: pd.DataFrame) -> bytes:
    if not isinstance(table, gpd.GeoDataFrame):
        return parquet_bytes(table)
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def _write_whole(data: bytes, path: Path) -> None:
    """Write a file that bears its name only once it is whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{_DRAFT}{uuid.uuid4().hex}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sweep(out: Path, table: pd.DataFrame) -> None:
    """Remove what processes left unfinished, and what is older than the answers of ``table``."""
    current = dict(zip(table["code"], table["hash"], strict=True))
    current = {code: key for code, key in current.items() if code not in set(table["code"][table["state"] == "left"])}
    for path in [p for name in {COUNTIES, *TABLES["coverage"], *TABLES["siting"]} for p in (out / name).glob("*")]:
        code, _, key = path.stem.partition("-")
        if path.name.startswith(_DRAFT) or (code in current and key != current[code]):
            path.unlink(missing_ok=True)


# --- the work of a batch -------------------------------------------------------------------------------------------


class _Work:
    """Counties waiting for their answers, those tried before at the end, and the rows of the others."""

    def __init__(
        self, ask: Ask, workers: int | None, cancelled: Callable[[], bool], hear: Callable[[Row], None]
    ) -> None:
        self.rows: list[Row] = []
        self._ask, self._workers, self._cancelled, self._hear = ask, workers, cancelled, hear
        self._waiting: deque[County] = deque()
        self._tries: Counter[str] = Counter()
        self._under_way: dict[Future[Row], County] = {}

    def answer(self, counties: list[County]) -> None:
        """Answer them all, with a new executor whenever a process dies; those not begun when cancelled are left."""
        for county in counties:
            if county.fault is not None:
                self._keep(row(county, "failed", county.fault))
        self._waiting.extend(county for county in counties if county.fault is None)
        while self._waiting and not self._cancelled():
            with open_executor(self._workers) as executor, suppress(BrokenExecutor, CancelledError):
                self._hand_out(executor)
            for future in list(self._under_way):  # of a broken executor: some are answered, the others wait again
                with suppress(BrokenExecutor, CancelledError):
                    self._settle(future)
        for county in self._waiting:
            self._keep(row(county, "left", ("中断时尚未计算", "not come to when the batch was broken off")))

    def _hand_out(self, executor: Executor) -> None:
        """Keep as many counties under way as the executor can take; raises where it broke."""
        width = at_once(self._workers)
        while self._under_way or (self._waiting and not self._cancelled()):
            while self._waiting and not self._cancelled() and len(self._under_way) < self._room(width):
                future = executor.submit(answer_county, self._waiting[0], self._ask)
                self._under_way[future] = self._waiting.popleft()
            done, _ = wait(self._under_way, _LOOK_S, FIRST_COMPLETED)
            for future in done:
                self._settle(future)

    def _room(self, width: int) -> int:
        """Return how many may be under way: one where it, or the next, has been under way at several deaths."""
        near = [*self._under_way.values(), self._waiting[0]]
        return 1 if any(self._tries[county.code] >= ALONE_AFTER for county in near) else width

    def _settle(self, future: Future[Row]) -> None:
        """Keep a county's row, or let it wait again where its process died; raises where the executor broke."""
        county = self._under_way.pop(future)
        try:
            self._keep(future.result(timeout=0))
        except (CancelledError, TimeoutError) as error:  # the cluster went away, which is no fault of a county
            self._waiting.append(county)
            raise CancelledError from error
        except Exception as error:
            self._tries[county.code] += 1
            if self._tries[county.code] < ATTEMPTS:
                self._waiting.append(county)
            else:
                self._keep(row(county, "failed", (
                    f"工作进程中断 {ATTEMPTS} 次（内存不足？）",
                    f"its process died {ATTEMPTS} times (out of memory?)",
                )))  # fmt: skip
            if isinstance(error, BrokenExecutor):
                raise

    def _keep(self, found: Row) -> None:
        self.rows.append(found)
        self._hear(found)
