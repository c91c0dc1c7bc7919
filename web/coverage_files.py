"""A coverage run as files: GeoPackage, workbook, map and picture, all from one drawing."""

from pathlib import Path

from layers.run import Run
from layers.store import Store
from web.drawing import MODE_NAMES, CoverageDrawing, minutes
from web.maps import coverage_map
from web.pictures import coverage_picture
from web.run_records import Progress, drawing_of, sentence, service_in_words, write_files
from web.tables import coverage_package, coverage_workbook

WRITERS = {
    "coverage.gpkg": coverage_package,
    "coverage.xlsx": coverage_workbook,
    "coverage.html": coverage_map,
    "coverage.png": coverage_picture,
}


def write_coverage(
    store: Store, run: Run, folder: Path, *, level: str | None = None, progress: Progress | None = None
) -> list[Path]:
    """Write ``run`` into ``folder`` in every format and return the paths.

    level : the tier the maps colour; where None, the finest that reads on one page.
    Raises QuestionError if the run has no area of that tier.
    """
    return write_files(WRITERS, coverage_drawing(store, run, level=level), folder, progress)


def coverage_drawing(store: Store, run: Run, *, level: str | None = None) -> CoverageDrawing:
    """Join ``run`` with the geometry of the records it was computed from."""
    return CoverageDrawing(
        **drawing_of(store, run, level),
        thresholds_s=tuple(run.parameters["thresholds_s"]),
        question=question_in_words(run),
    )


def question_in_words(run: Run) -> tuple[str, str]:
    """Say what was asked: within what time, how people move, which service, when, after which plan."""
    asked = run.parameters
    limits = "、".join(minutes(t) for t in asked["thresholds_s"])
    zh, en = MODE_NAMES[asked["mode"]]
    moving = (f"{zh} {limits} 分钟", f"{limits.replace('、', ', ')} min {en}")
    planned = (
        [(f"按选址方案 {asked['plan']} 建成后", f"as plan {asked['plan']} would leave it")] if asked.get("plan") else []
    )
    number = asked.get("scenario")
    supposed = [] if number is None else [(f"按情景 {number}", f"as scenario {number} would have it")]
    return sentence(
        [moving, *service_in_words([asked["function"]] if asked["function"] else [], asked["at"]), *planned, *supposed]
    )
