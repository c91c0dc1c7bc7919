"""A siting run as files: GeoPackage, workbook, map and picture, all from one drawing."""

from pathlib import Path

from layers.run import Run
from layers.store import Store
from web.drawing import MODE_NAMES, minutes
from web.run_records import Progress, drawing_of, sentence, service_in_words, write_files
from web.siting_drawing import SitingDrawing
from web.siting_map import siting_map
from web.siting_picture import siting_picture
from web.siting_tables import siting_package, siting_workbook
from web.siting_words import DEMAND_NAMES, PROBLEM_NAMES

WRITERS = {
    "site.gpkg": siting_package,
    "site.xlsx": siting_workbook,
    "site.html": siting_map,
    "site.png": siting_picture,
}


def write_siting(
    store: Store, run: Run, folder: Path, *, level: str | None = None, progress: Progress | None = None
) -> list[Path]:
    """Write ``run`` into ``folder`` in every format and return the paths.

    level : the tier the maps colour; where None or without areas in the city, the finest that reads on one page.
    """
    return write_files(WRITERS, siting_drawing(store, run, level=level), folder, progress)


def siting_drawing(store: Store, run: Run, *, level: str | None = None) -> SitingDrawing:
    """Join ``run`` with the geometry of the records it was computed from."""
    level = level if level in set(run.tables["areas"]["level"]) else None
    return SitingDrawing(**drawing_of(store, run, level), parameters=run.parameters, question=question_in_words(run))


def question_in_words(run: Run) -> tuple[str, str]:
    """Say what was asked: the problem, the time, how people move, whom to serve unless people, which service, when."""
    asked = run.parameters
    limit, (zh, en) = minutes(asked["limit_s"]), MODE_NAMES[asked["mode"]]
    words = [PROBLEM_NAMES[asked["problem"]], (f"{zh} {limit} 分钟", f"{limit} min {en}")]
    kinds = [kind for kind, _ in asked["demand"]]
    if kinds != ["people"]:
        named = [DEMAND_NAMES[kind] for kind in kinds]
        words.append(("服务" + "、".join(zh for zh, _ in named), "for " + ", ".join(en for _, en in named)))
    return sentence([*words, *service_in_words(asked["functions"], asked["at"])])
