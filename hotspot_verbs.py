"""The command line's verbs of hotspots: where now, is it real, what is coming, what comes next, what may be told."""

import re
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from terminal import Interrupt, OneLineGroup, Progress, day, list_files, say, store_options

if TYPE_CHECKING:
    from layers.run import Run
    from layers.store import Store
    from planner.hotspots.frame import Frame
    from planner.hotspots.question import HotspotQuestion

CHANNELS = ("patrol", "hotline", "public")
CELLS = ("hexagon", "square")
SPLITS = ("discontinuous", "continuous", "simple", "heat")
MODELS = ("space-time-permutation", "poisson", "bernoulli")
ANALYSES = ("prospective", "retrospective", "spatial")
WINDOWS = ("circle", "ellipse", "network")
STEPS = ("month", "quarter")
WEATHER = ("mild", "cold", "hot", "wet")
_OUT = click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for maps and tables.")
_SEED = click.option("--seed", type=int, default=0, show_default=True, help="Of random numbers.")


@click.group(cls=OneLineGroup, short_help="热点 Where people in need are found.")
def hotspots() -> None:
    """Map where people in need are found, corrected for where anyone looked."""


def _asked(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every question about hotspots takes."""
    for option in (
        _OUT,
        click.option("--cell-m", type=float, default=300.0, show_default=True, help="Width of a cell in metres."),
        click.option("--cells", type=click.Choice(CELLS), default="hexagon", show_default=True, help="Shape of cells."),
        click.option("--within", multiple=True, metavar="AREA", help="Only in this area (code or name); repeatable."),
        click.option("--channel", "channels", multiple=True, type=click.Choice(CHANNELS), help="Only reports that came "
                     "this way (巡查, 热线, 群众); repeatable."),
        click.option("--until", metavar="DATE", help="Last day of reports; the last there is when left out."),
        click.option("--from", "from_", metavar="DATE", help="First day of reports."),
    ):  # fmt: skip
        command = option(command)
    return store_options(command)


def _frame(
    from_: str | None, until: str | None, channels: tuple[str, ...], within: tuple[str, ...], cells: str, cell_m: float
) -> "Frame":
    from planner.hotspots.frame import Frame

    return Frame(day(from_), day(until), channels or CHANNELS, within, cells, cell_m)


@hotspots.command("map", short_help="现状 Map where people are found now.")
@click.option("--split", type=click.Choice(SPLITS), default="discontinuous", show_default=True,
              help="How density along streets goes on at junctions.")  # fmt: skip
@click.option("--bandwidth-m", type=float, help="Of the density; chosen by cross-validation when left out.")
@click.option("--detectability", type=float, help="How well patrols see: p passes a week find someone with the chance "
              "1 - exp(-this x p); estimated when left out.")  # fmt: skip
@click.option("--permutations", type=int, default=999, show_default=True, help="Of the local statistics.")
@_SEED
@_asked
def map_(
    split: str, bandwidth_m: float | None, detectability: float | None, permutations: int, seed: int, out: Path | None,
    db: str, as_json: bool, **asked: Any,
) -> None:  # fmt: skip
    """Map where people are found now: corrected for patrols, by street, cell and area, and what is more than chance.

    Streets nobody looked at are unknown, not empty.
    """
    from planner.hotspots.question import MapQuestion

    question = MapQuestion(_frame(**asked), split, bandwidth_m, detectability, permutations, seed)
    _answer(question, out, db, as_json)


@hotspots.command(short_help="聚集 Find clusters that are more than chance.")
@click.option("--model", type=click.Choice(MODELS), default=MODELS[0], show_default=True,
              help="Against place and time, against patrol effort, or others' reports against patrols'.")  # fmt: skip
@click.option("--analysis", type=click.Choice(ANALYSES), default=ANALYSES[0], show_default=True,
              help="Clusters that still go on, of any time, or in space alone.")  # fmt: skip
@click.option("--window", type=click.Choice(WINDOWS), default="circle", show_default=True,
              help="Network: balls along the streets.")  # fmt: skip
@click.option("--most-m", type=float, default=2000.0, show_default=True, help="Greatest radius of a cluster in metres.")
@click.option("--most-days", type=int, default=60, show_default=True, help="Greatest length of a cluster in days.")
@click.option("--replications", type=int, default=999, show_default=True, help="Random cities to compare with.")
@_SEED
@_asked
def scan(
    model: str, analysis: str, window: str, most_m: float, most_days: int, replications: int, seed: int,
    out: Path | None, db: str, as_json: bool, **asked: Any,
) -> None:  # fmt: skip
    """Find clusters of reports in space and time, and how often chance alone would give one as strong."""
    from planner.hotspots.question import ClusterQuestion

    question = ClusterQuestion(
        _frame(**asked), model, analysis, window, most_m, most_days, replications, seed
    )  # fmt: skip
    _answer(question, out, db, as_json)


@hotspots.command(short_help="演变 Tell how hotspots come and go.")
@click.option("--step", type=click.Choice(STEPS), default="month", show_default=True, help="Length of a step in time.")
@click.option("--level", type=float, default=0.05, show_default=True, help="False discoveries allowed.")
@_asked
def emerging(step: str, level: float, out: Path | None, db: str, as_json: bool, **asked: Any) -> None:
    """Tell which hotspots are new, growing, lasting, waning, coming and going, or gone."""
    from planner.hotspots.question import EmergingQuestion

    _answer(EmergingQuestion(_frame(**asked), step, level), out, db, as_json)


@hotspots.command(short_help="预测 Forecast a coming week.")
@click.option("--week", metavar="DATE", help="Its first day; the day after the last report when left out.")
@click.option("--weather", type=click.Choice(WEATHER), help="Of that week, where it is foreseen (layer weather).")
@_asked
def forecast(
    week: str | None, weather: str | None, out: Path | None, db: str, as_json: bool, **asked: Any
) -> None:  # fmt: skip
    """Forecast how many people will be found where, on which weekday and at what hour, if patrols go on as they did."""
    from planner.hotspots.question import ForecastQuestion

    _answer(ForecastQuestion(_frame(**asked), day(week), weather or ""), out, db, as_json)


@hotspots.command(short_help="回测 Judge the forecasts by what came.")
@click.option("--origins", type=int, help="How many of the last months to forecast; all but the first year when left "
              "out.")  # fmt: skip
@click.option("--share", type=float, default=0.1, show_default=True, help="Of the area that could be patrolled.")
@_SEED
@_asked
def backtest(
    origins: int | None, share: float, seed: int, out: Path | None, db: str, as_json: bool, **asked: Any
) -> None:
    """Forecast past months from what was known before each, and compare with simple methods."""
    from planner.hotspots.question import BacktestQuestion

    _answer(BacktestQuestion(_frame(**asked), origins, share, seed), out, db, as_json)


@hotspots.command(short_help="公开 Publish a quarter, safely.")
@click.argument("quarter", metavar="QUARTER")
@click.option("--cells", type=click.Choice(("subdistrict", "community", *CELLS)), default="subdistrict",
              show_default=True, help="Of the first release; all later ones keep them.")  # fmt: skip
@click.option("--cell-m", type=float, default=500.0, show_default=True, help="Width of a cell in metres, 300 or more.")
@click.option("--epsilon", default="1/4", show_default=True, help="Spent on one person; four quarters have 1.")
@click.option("--times", type=int, default=3, show_default=True, help="How often one person may count.")
@click.option("--all-days", is_flag=True, help="Count every day, on the word that nobody is reported more often than "
              "--times; else only so many days count, fixed by the calendar.")  # fmt: skip
@click.option("--protection", type=click.Choice(("noise", "suppression")), default="noise", show_default=True,
              help="Random noise and thresholds, or thresholds alone.")  # fmt: skip
@_OUT
@store_options
def release(
    quarter: str, cells: str, cell_m: float, epsilon: str, times: int, all_days: bool, protection: str,
    out: Path | None, db: str, as_json: bool,
) -> None:  # fmt: skip
    """Publish the table of QUARTER (2026Q1) for anyone to see, once and for all; asked again, it is the same table.

    Never a street, a time of day or a number under 10. The budget of a year is kept in the store.
    """
    from layers.store import Store
    from planner.hotspots.release import ReleaseQuestion
    from planner.hotspots.runs import HOTSPOT_STEPS, run_release

    year, number = _quarter(quarter)
    question = ReleaseQuestion(
        year=year, quarter=number, epsilon=_fraction(epsilon), counts_per_person=times, protection=protection
    )
    store = Store(db)
    if any(run.parameters == {"year": year, "quarter": number} for run in store.runs("hotspot-release")):
        click.echo("该季度早已发布，原样重示，所给选项不起作用 / published before: shown again as it was, "
                   "whatever options are given now", err=True)  # fmt: skip
    with Progress(HOTSPOT_STEPS) as progress:
        run = run_release(
            store, question, cells=cells, size_m=cell_m, counted=None if all_days else times, progress=progress
        )
    show_hotspots(store, run, out, as_json)


def _quarter(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{4})\s*[Qq年第]+\s*([1-4])\s*(?:季度?)?", text.strip())
    if match is None:
        raise click.BadParameter(f"季度应如 2026Q1 / expected a quarter such as 2026Q1, got {text!r}")
    return int(match[1]), int(match[2])


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"ε 应如 1/4 / expected a number such as 1/4, got {text!r}") from None


def _answer(question: "HotspotQuestion", out: Path | None, db: str, as_json: bool) -> None:
    from layers.store import Store
    from planner.hotspots.runs import HOTSPOT_STEPS, run_hotspots

    store = Store(db)
    # only what is tried at random can end early with an answer; all else is broken off
    early = question.kind == "hotspot-scan"
    with Progress(HOTSPOT_STEPS) as progress, Interrupt() if early else nullcontext() as stop:
        cancelled = (lambda: False) if stop is None else stop.is_set
        run = run_hotspots(store, question, progress=progress, cancelled=cancelled, hear=progress.hear)
    show_hotspots(store, run, out, as_json)


def show_hotspots(store: "Store", run: "Run", out: Path | None, as_json: bool) -> None:
    """Print a run about hotspots and write its files."""
    from planner.json_values import run_json
    from web.hotspot_files import WRITERS, write_hotspots
    from web.hotspot_text import hotspot_text

    written: list[Path] = []
    if out is not None:
        with Progress(list(WRITERS[run.kind]), "写出 writing") as progress:
            written = write_hotspots(store, run, out, progress=progress)
    one_row = {"summary"} if len(run.tables["summary"]) == 1 else ()
    say(run_json(run, one_row=one_row) if as_json else {}, as_json, "" if as_json else hotspot_text(store, run))
    if not as_json:
        list_files(written)
        click.echo(f"分析编号 / run: {run.id}")
