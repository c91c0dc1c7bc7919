"""The command line's verb of a whole province: one question asked of every county, on all cores or a cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from gis.errors import QuestionError
from question_options import DATUMS, coverage_options, coverage_question, siting_options, siting_question
from terminal import Interrupt, OneLineGroup, list_files, say

if TYPE_CHECKING:
    from planner.batch.runs import Question

#: Exit code of a batch some of whose counties failed, and of one broken off.
SOME_FAILED, BROKEN_OFF = 1, 130


@click.group(cls=OneLineGroup, short_help="全省批量 Ask one question of every county.")
def batch() -> None:
    """Ask one question of every county of a province: on all cores, or on a Dask cluster (LAMPLIGHT_DASK)."""


def _batch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a batch takes, whatever is asked."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text."),
        click.option("--workers", type=int, help="Processes; as many as cores where left out. A cluster has its own."),
        click.option("--datum", type=click.Choice(DATUMS), default="wgs84", show_default=True,
                     help="Datum of files whose names do not say it."),
        click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False),
                     help="Folder for the answers and the summary; a batch that was broken off goes on there."),
        click.option("--cities", required=True, type=click.Path(path_type=Path), metavar="DIR|FILE",
                     help="A folder with one folder or GeoPackage a county, or a list (CSV, XLSX) of code and source."),
    ):  # fmt: skip
        command = option(command)
    return command


@batch.command(short_help="覆盖分析 Measure whom the service points of every county reach.")
@coverage_options
@_batch_options
def coverage(cities: Path, out: Path, datum: str, workers: int | None, as_json: bool, **asked: Any) -> None:
    """Measure which people, streets and hours are within reach of a service point, in every county."""
    _run(cities, out, datum, workers, as_json, coverage_question(**asked))


@batch.command(short_help="选址 Choose where the next service points of every county should stand.")
@siting_options
@click.option("--candidates", type=click.Choice(["junctions", "midpoints", "layer"]), default="junctions",
              show_default=True, help="Where new points may stand; layer is each county's own candidates.")  # fmt: skip
@_batch_options
def site(cities: Path, out: Path, datum: str, workers: int | None, as_json: bool, **asked: Any) -> None:
    """Choose where the next service points should stand, in every county; PROBLEM as in lamplight site."""
    _run(cities, out, datum, workers, as_json, siting_question(**asked))


def _run(cities: Path, out: Path, datum: str, workers: int | None, as_json: bool, question: "Question") -> None:
    from planner.batch.loading import list_counties
    from planner.batch.runs import run_batch
    from planner.batch.summary import whole
    from planner.json_values import json_records, json_value
    from web.batch_tables import batch_text, write_summary

    counties = list_counties(cities)
    if cities.is_dir() and out.resolve().is_relative_to(cities.resolve()):
        raise QuestionError("--out 不能在 --cities 文件夹之内", "--out must lie outside the folder of --cities")
    with _Bar(len(counties)) as bar, Interrupt() as stop:
        table = run_batch(
            counties, question, out, datum=datum, workers=workers, cancelled=lambda: stop.is_set() and bar.finishing(),
            hear=lambda row: bar.hear(row["state"]),
        )  # fmt: skip
    files = write_summary(table, out)
    states = {str(state): int(n) for state, n in table["state"].value_counts().items()}
    if as_json:
        figures = {name: json_value(value) for name, value in whole(table).items()}
        say({"out": str(out), "states": states, "whole": figures, "counties": json_records(table)}, True, "")
    else:
        click.echo(batch_text(table))
        list_files(files)
    if "left" in states:
        click.get_current_context().exit(BROKEN_OFF)
    if "failed" in states:
        click.get_current_context().exit(SOME_FAILED)


class _Bar:
    """Counties done, time gone and time to go, on terminals only."""

    def __init__(self, counties: int) -> None:
        self._failed = 0
        self._bar = tqdm(
            total=counties, leave=False, disable=None, mininterval=0.5,
            bar_format="{bar:24} {n_fmt}/{total_fmt} 区县 counties {elapsed} < {remaining}{postfix}",
        )  # fmt: skip

    def hear(self, state: str) -> None:
        """Count a county."""
        self._failed += state == "failed"
        if self._failed:
            self._bar.set_postfix_str(f" {self._failed} 未完成 failed", refresh=False)
        self._bar.update(state != "left")

    def finishing(self) -> bool:
        """Say, and return, that no further county is begun."""
        self._bar.set_postfix_str(" 算完手头的即止，再按 Ctrl-C 立即停止 finishing those begun", refresh=False)
        return True

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
