"""The command line's verb of the demo city: build it, import it, and run every analysis there is."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gis.errors import QuestionError
from terminal import DEFAULT_STORE, Interrupt, Progress, day, list_files, place, say, store_options

if TYPE_CHECKING:
    from layers.run import Run
    from layers.store import Store

SIZES = ("town", "city", "metro")
#: New points the demo plans for, within ten minutes on foot; seconds of the search for its night of patrol.
DEMO_SITES, DEMO_PATROL_S = 10, 10.0
Answer = tuple["Run", list[Path]]


@click.command(short_help="示例城市 Build the fictional city Linjiang and analyse it.")
@click.option("--size", type=click.Choice(SIZES), default="town", show_default=True,
              help="About 5 thousand, 50 thousand or 1 million street segments.")  # fmt: skip
@click.option("--seed", type=int, help="Another number gives another city.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default="out", show_default=True,
              help="Folder for the layers, the store, tables and maps.")  # fmt: skip
@store_options
def demo(size: str, seed: int | None, out: Path, db: str, as_json: bool) -> None:
    """Build the fictional city Linjiang (临江市), import it, and run every analysis there is.

    Without --db its store lies in the folder of --out, never in your own city's.
    """
    from layers.store import Store
    from planner.runs import run_comparison
    from web.hotspot_text import hotspot_text
    from web.patrol_text import patrol_text
    from web.siting_text import siting_text
    from web.text_tables import comparison_text, coverage_text

    if db == DEFAULT_STORE:  # never into the user's own city
        db = f"sqlite:///{out / f'linjiang-{size}.sqlite'}"
    store = Store(db)
    _fill(store, size, seed, out / f"linjiang-{size}")
    always, sunday = _coverage(store, out)
    sited, hot, patrolled = _siting(store, out), _hotspots(store, out), _patrol(store, out)
    answers = [always, sunday, sited, hot, patrolled]
    change = run_comparison(store, always[0].id, sunday[0].id)
    summary = {
        "store": store.address,
        "runs": [run.id for run, _ in answers],
        "comparison": change.id,
        "files": [str(path) for _, written in answers for path in written],
    }
    say(summary, as_json, coverage_text(always[0], level="subdistrict"))
    if as_json:
        return
    for heading, text in (
        ("周日凌晨两点少覆盖多少 / what is lost on Sunday at 02:00", comparison_text(change, level="district")),
        (f"接下来 {DEMO_SITES} 个点设在哪里 / where the next {DEMO_SITES} points should stand", siting_text(sited[0])),
        ("哪里能遇到需要帮助的人 / where people in need can be found", hotspot_text(store, hot[0])),
        ("当晚谁巡查哪些街面 / who walks which streets that night", patrol_text(patrolled[0])),
    ):
        click.echo(f"\n{heading}\n{text}")
    for _, written in answers:
        list_files(written)
    click.echo(f"数据库 / store: {store.address}")


def _coverage(store: "Store", out: Path) -> tuple[Answer, Answer]:
    """Measure coverage at any hour, and on Sunday night; and as the served pages ask for it, for whoever opens them."""
    from layers.hours import parse_hour_of_week
    from planner.coverage_question import CoverageQuestion
    from planner.runs import STEPS, run_coverage
    from web.coverage_files import WRITERS, write_coverage

    always = CoverageQuestion(on=day(store.setting("data_date")))
    found: list[Answer] = []
    for question, folder in ((always, out), (replace(always, at=parse_hour_of_week("Sun 02:00")), out / "night")):
        with Progress(STEPS) as progress:
            run = run_coverage(store, question, progress=progress)
        with Progress(list(WRITERS), "写出 writing") as progress:
            found.append((run, write_coverage(store, run, folder, level=None, progress=progress)))
    with Progress(STEPS) as progress:
        run_coverage(store, replace(always, on=None), progress=progress)
    return found[0], found[1]


def _siting(store: "Store", out: Path) -> Answer:
    from planner.coverage_question import CoverageQuestion
    from planner.runs import SITING_STEPS, run_siting
    from planner.siting.question import SitingQuestion
    from web.siting_files import WRITERS, write_siting

    question = SitingQuestion("mclp", CoverageQuestion(thresholds_s=(600,)), count=DEMO_SITES)
    with Progress(SITING_STEPS) as progress, Interrupt() as stop:
        run = run_siting(store, question, progress=progress, cancelled=stop.is_set, hear=progress.hear)
    with Progress(list(WRITERS), "写出 writing") as progress:
        return run, write_siting(store, run, out, level=None, progress=progress)


def _hotspots(store: "Store", out: Path) -> Answer:
    from planner.hotspots.question import MapQuestion
    from planner.hotspots.runs import HOTSPOT_STEPS, run_hotspots
    from web.hotspot_files import WRITERS, write_hotspots

    with Progress(HOTSPOT_STEPS) as progress:
        run = run_hotspots(store, MapQuestion(), progress=progress, hear=progress.hear)
    with Progress(list(WRITERS[run.kind]), "写出 writing") as progress:
        return run, write_hotspots(store, run, out, progress=progress)


def _patrol(store: "Store", out: Path) -> Answer:
    from planner.patrol.question import PatrolQuestion
    from planner.patrol.runs import PATROL_STEPS, run_patrol
    from web.patrol_files import WRITERS, write_patrol

    evening = day(store.setting("data_date"))
    assert evening is not None  # the demo city knows its day
    question = PatrolQuestion(evening, seconds=DEMO_PATROL_S)
    with Progress(PATROL_STEPS) as progress, Interrupt() as stop:
        run = run_patrol(store, question, progress=progress, cancelled=stop.is_set, hear=progress.hear)
    with Progress(list(WRITERS), "写出 writing") as progress:
        return run, write_patrol(store, run, out, progress=progress)


def _fill(store: "Store", size: str, seed: int | None, folder: Path) -> None:
    """Build and import the demo city, unless the store holds this very one already."""
    from layers.demo_city.build import STEPS, build_demo_city, write_demo_city
    from layers.demo_city.recipe import load_recipe
    from layers.imports import import_file

    store.create()
    wanted = f"{version('lamplight')} {size} {'' if seed is None else seed}".strip()
    if store.setting("demo_city") == wanted:
        return
    if store.setting("demo_city") is None and store.current():
        raise QuestionError(
            "该数据库里是别的城市，示例城市须用空库",
            "this store holds another city: the demo city needs one of its own",
        )
    with Progress(STEPS, "生成 making") as progress:
        city = build_demo_city(size, seed=seed, progress=progress)
    files = write_demo_city(city, folder)
    with Progress([path.name for *_, path in files], "导入 importing") as progress:
        for layer, part, path in files:
            progress(path.name)
            import_file(store, layer, path, part=part or None)
    place(store)
    settings = {
        "city_name": "临江市 Linjiang", "timezone": "Asia/Shanghai", "fictional": "yes",
        "data_date": str(load_recipe().reports["end"]), "demo_city": wanted,
    }  # fmt: skip
    for name, value in settings.items():
        store.set_setting(name, value)
