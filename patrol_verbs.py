"""The command line's verbs of patrol: plan a night or a week, plan the rest again, see what was truly walked."""

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gis.errors import RecordError
from terminal import Interrupt, OneLineGroup, Progress, day, list_files, pairs, say, store_options

if TYPE_CHECKING:
    from layers.run import Run
    from layers.store import Store

#: A time of day before noon is of the morning after the plan's evening.
_NOON = 12
_OUT = click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for sheets, maps, tables.")
_SECONDS = click.option(
    "--seconds", type=float, default=60.0, show_default=True, help="Time limit of the search, for each night."
)
_SEED = click.option("--seed", type=int, default=0, show_default=True, help="Of the search's random choices.")


@click.group(cls=OneLineGroup, short_help="巡查 Plan who walks which streets.")
def patrol() -> None:
    """Plan who walks which streets, tonight or through the week."""


def _asked(command: object) -> object:
    """Add what a night's plan and a week's have in common."""
    for option in (
        _OUT, _SEED, _SECONDS,
        click.option("--loss", type=float, help="Draw one of many plans at random, each at most this share dearer than "
                     "the best found (0.05), so that nobody learns the schedule."),
        click.option("--within", multiple=True, metavar="AREA", help="Only in this area (code or name); repeatable."),
        click.option("--hours", default="20:00-24:00", show_default=True, help="Who is on duty then walks, the own "
                     "shift through; these hours are the shift of workers who record none."),
        click.option("--workers", type=click.Path(path_type=Path), metavar="ROSTER", help="Import this roster first."),
        click.option("--date", "date", required=True, metavar="DATE", help="The evening it begins: 2026-01-31."),
    ):  # fmt: skip
        command = option(command)  # type: ignore[arg-type]
    return store_options(command)  # type: ignore[arg-type]


@patrol.command(short_help="当晚 Plan one night.")
@_asked
def plan(
    date: str, workers: Path | None, hours: str, within: tuple[str, ...], loss: float | None, seconds: float, seed: int,
    out: Path | None, db: str, as_json: bool,
) -> None:  # fmt: skip
    """Plan one night: who walks which streets, in what order, and what stays uncovered and why."""
    _plan(1, date, workers, hours, within, loss, seconds, seed, out, db, as_json)


@patrol.command(short_help="一周 Plan a week of nights.")
@_asked
def week(
    date: str, workers: Path | None, hours: str, within: tuple[str, ...], loss: float | None, seconds: float, seed: int,
    out: Path | None, db: str, as_json: bool,
) -> None:  # fmt: skip
    """Plan seven nights from a date on: every street as often as it asks for, the same worker where possible.

    A week that was interrupted goes on with the night it had come to.
    """
    _plan(7, date, workers, hours, within, loss, seconds, seed, out, db, as_json)


def _plan(
    days: int, date: str, workers: Path | None, hours: str, within: tuple[str, ...], loss: float | None,
    seconds: float, seed: int, out: Path | None, db: str, as_json: bool,
) -> None:  # fmt: skip
    from layers.store import Store
    from planner.patrol.question import PatrolQuestion, parse_hours
    from planner.patrol.runs import PATROL_STEPS, run_patrol

    store = Store(db)
    begins = day(date)
    assert begins is not None  # click requires it
    question = PatrolQuestion(begins, days, parse_hours(hours), within, loss, seconds, seed)
    if workers is not None:
        _import_roster(store, workers, as_json)
    with Progress(PATROL_STEPS) as progress, Interrupt() as stop:
        run = run_patrol(store, question, progress=progress, cancelled=stop.is_set, hear=progress.hear)
    show_patrol(store, run, out, as_json)


@patrol.command(short_help="改派 Plan the rest of a night again.")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--now", required=True, metavar="TIME", help="The hour it is: 22:10, or 2026-01-31T22:10 in a week's plan."
)
@click.option("--ill", multiple=True, metavar="CREW", help="A crew that stops now (C03); may be repeated.")
@click.option("--report", "reports", multiple=True, metavar="LON,LAT", help="A report that came in; may be repeated.")
@_SEED
@_OUT
@store_options
def replan(
    run_id: str, now: str, ill: tuple[str, ...], reports: tuple[str, ...], seed: int, out: Path | None, db: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Plan the rest of the night of plan RUN again: what was walked stays, and so do crews far from what changed."""
    from layers.store import Store
    from planner.patrol.runs import PATROL_STEPS, run_replan

    store = Store(db)
    run = store.run(run_id)
    at = _moment(now, str(run.parameters.get("date", "")))
    with Progress(PATROL_STEPS) as progress, Interrupt() as stop:
        again = run_replan(
            store, run, at, ill=ill, reports=[_place(text) for text in reports], seed=seed, progress=progress,
            cancelled=stop.is_set, hear=progress.hear,
        )  # fmt: skip
    show_patrol(store, again, out, as_json)


@patrol.command(short_help="轨迹 Match tracks to the streets.")
@click.argument("tracks", type=click.Path(path_type=Path), metavar="TRACKS")
@click.option("--plan", metavar="RUN", help="Compare with this plan; its shifts say who was on duty when.")
@click.option("--hours", help="On duty where no plan says so: 20:00-24:00.")
@click.option("--datum", type=click.Choice(("auto", "wgs84", "gcj02", "bd09")), default="auto", show_default=True,
              help="Of the coordinates; auto tells it from how well they fit the streets.")  # fmt: skip
@click.option("--mode", type=click.Choice(("walk", "ebike", "drive")), default="walk", show_default=True,
              help="How people moved, where no plan says so.")  # fmt: skip
@click.option("--keep-days", type=int, default=90, show_default=True, help="What is older is forgotten unread.")
@click.option("--noise-m", type=float, help="A point's usual error in metres; told from the tracks when left out.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=HEADING", help="Which heading holds a field.")
@_OUT
@store_options
def match(
    tracks: Path, plan: str | None, hours: str | None, datum: str, mode: str, keep_days: int, noise_m: float | None,
    columns: tuple[str, ...], out: Path | None, db: str, as_json: bool,
) -> None:  # fmt: skip
    """Match GPS tracks (GPX, CSV, XLSX, GeoJSON; a file, a folder or a zip) to the streets: what was truly walked.

    Only points on duty are kept, and no point of a track is stored: only metres and minutes by street and hour.
    """
    from layers.store import Store
    from planner.patrol.question import parse_hours
    from planner.patrol.tracks.question import MatchQuestion
    from planner.patrol.tracks.runs import TRACK_STEPS, run_match

    store = Store(db)
    question = MatchQuestion(
        mode=mode, datum=datum, hours=None if hours is None else parse_hours(hours),
        plan=None if plan is None else store.run(plan).id, keep_days=keep_days, noise_m=noise_m,
    )  # fmt: skip
    with Progress(TRACK_STEPS) as progress:
        run = run_match(store, tracks, question, columns=pairs(columns), progress=progress)
    show_tracks(store, run, out, as_json)


def _moment(text: str, date: str) -> datetime:
    """Return a local time; one without a day is of the plan's evening, or of the morning after it."""
    try:
        if "T" in text or " " in text.strip():
            return datetime.fromisoformat(text.strip())
        clock = time.fromisoformat(text.strip())
        evening = datetime.combine(datetime.fromisoformat(date), clock)
        return evening if clock.hour >= _NOON else evening + timedelta(days=1)
    except ValueError:
        raise click.BadParameter(f"时间应如 22:10 / expected a time such as 22:10, got {text!r}") from None


def _place(text: str) -> tuple[float, float]:
    try:
        lon, lat = (float(part) for part in text.replace("，", ",").split(","))
    except ValueError:
        raise click.BadParameter(f"位置应写作 经度,纬度 / expected LON,LAT, got {text!r}") from None
    return lon, lat


def _import_roster(store: "Store", file: Path, as_json: bool) -> None:
    """Import a roster ahead of the question, saying what became of its rows."""
    from layers.imports import STEPS as IMPORT_STEPS
    from layers.imports import import_file

    with Progress(IMPORT_STEPS) as progress:
        report = import_file(store, "roster", file, progress=progress)
    click.echo(f"roster: {report.given} 行 = {report.accepted} 接受 + {report.rejected} 拒绝 / {report.given} rows = "
               f"{report.accepted} accepted + {report.rejected} rejected", err=as_json)  # fmt: skip
    if not report.versions:
        raise RecordError("名册没有一行可用", "no row of the roster was accepted")


def show_patrol(store: "Store", run: "Run", out: Path | None, as_json: bool) -> None:
    """Print a patrol run and write its files."""
    from planner.patrol.answer_json import patrol_json
    from web.patrol_files import WRITERS, write_patrol
    from web.patrol_text import patrol_text

    written: list[Path] = []
    if out is not None:
        with Progress(list(WRITERS), "写出 writing") as progress:
            written = write_patrol(store, run, out, progress=progress)
    say(patrol_json(run) if as_json else {}, as_json, "" if as_json else patrol_text(run))
    if not as_json:
        list_files(written)
        click.echo(f"方案编号 / run: {run.id}")


def show_tracks(store: "Store", run: "Run", out: Path | None, as_json: bool) -> None:
    """Print a run of tracks and write its files."""
    from planner.json_values import run_json
    from web.track_files import WRITERS, write_tracks
    from web.track_text import track_text

    written: list[Path] = []
    if out is not None:
        with Progress(list(WRITERS), "写出 writing") as progress:
            written = write_tracks(store, run, out, progress=progress)
    say(run_json(run, too_long={"effort"}) if as_json else {}, as_json, "" if as_json else track_text(store, run))
    if not as_json:
        list_files(written)
