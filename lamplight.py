"""The command line: one verb a question; parses, calls, prints."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from account_verbs import account, audit
from batch_verb import batch
from demo_verb import demo
from gis.errors import QuestionError, RecordError
from hotspot_verbs import hotspots, show_hotspots
from patrol_verbs import patrol, show_patrol, show_tracks
from question_options import DATUMS, LEVELS, coverage_options, coverage_question, siting_options, siting_question
from serve_verb import serve
from store_verbs import backup, restore, retire
from terminal import (
    Interrupt,
    OneLineGroup,
    Progress,
    day,
    list_files,
    pairs,
    place,
    say,
    store_options,
)  # fmt: skip
from worker_verb import worker

if TYPE_CHECKING:
    from layers.imports import ImportReport
    from layers.run import Run
    from layers.store import Store

# Libraries for geometry take a second to load, so each verb imports what it needs; these words are held here, and a
# test keeps them equal to the modules that own them.
LAYERS = (
    "streets", "areas", "grid-cells", "service-points", "rescue-stations", "candidates", "forbidden-areas",
    "population", "reports", "roster", "patrol-duties", "patrol-effort", "weather", "calendar",
)  # fmt: skip


@click.group(cls=OneLineGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("lamplight"), prog_name="lamplight")
def main() -> None:
    """Plan a city's street-rescue service (救助管理): whom do the service points reach, and where are the gaps?"""


@main.command(short_help="建库 Create a city's store, or bring an older one up to date.")
@click.option("--name", default="", help="The city's name, for titles of maps and tables.")
@click.option("--timezone", default="Asia/Shanghai", show_default=True, help="The zone the city's clocks are in.")
@click.option("--attribution", default="", help="Whose data it is, printed on every map.")
@click.option(
    "--data-date", default="", metavar="DATE", help="The day the data speaks of (2026-01-31), printed on every map."
)
@click.option("--approval-number", default="", help="The map approval number (审图号), printed on every map.")
@store_options
def init(
    name: str, timezone: str, attribution: str, data_date: str, approval_number: str, db: str, as_json: bool
) -> None:
    """Create the store of a city, or bring an older one up to date."""
    from layers.store import Store

    _known_timezone(timezone)
    store = Store(db)
    store.create()
    settings = {
        "city_name": name, "timezone": timezone, "attribution": attribution,
        "data_date": str(day(data_date or None) or ""), "approval_number": approval_number,
    }  # fmt: skip
    for setting, value in settings.items():
        if value:
            store.set_setting(setting, value)
    say({"store": store.address, **settings}, as_json, f"已建库 / the store is ready: {store.address}")


@main.command("import", short_help="导入图层 Import a file as a new version of a layer.")
@click.argument("layer", type=click.Choice(LAYERS))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--level", type=click.Choice(LEVELS), help="Tier of areas; read from their codes when left out.")
@click.option("--file-layer", metavar="NAME", help="Layer inside the file, where it holds several.")
@click.option("--encoding", help="Text encoding, where the file does not say it (UTF-8, GB18030).")
@click.option("--datum", type=click.Choice(DATUMS), default="wgs84", show_default=True, help="Datum of the file.")
@click.option(
    "--column", "columns", multiple=True, metavar="FIELD=HEADING", help="Which heading holds a field; may be repeated."
)
@click.option("--approximate/--exact", default=None, help="Whether boundaries are approximate; maps will say so.")
@click.option("--rejects", type=click.Path(path_type=Path), help="Where to write refused rows, with reasons (CSV).")
@store_options
def import_(
    layer: str, file: Path, level: str | None, file_layer: str | None, encoding: str | None, datum: str,
    columns: tuple[str, ...], approximate: bool | None, rejects: Path | None, db: str, as_json: bool,
) -> None:  # fmt: skip
    """Import FILE as a new version of LAYER: the whole of it, or nothing."""
    from layers.imports import STEPS as IMPORT_STEPS
    from layers.imports import import_file
    from layers.store import Store
    from layers.validation import write_rejects

    store = Store(db)
    with Progress(IMPORT_STEPS) as progress:
        report = import_file(
            store, layer, file, part=level, file_layer=file_layer, encoding=encoding, datum=datum,
            approximate=approximate, columns=pairs(columns),
            progress=progress,
        )  # fmt: skip
    if report.versions:
        place(store)
    if rejects is not None:
        write_rejects(report.rejects, rejects)
    say(_report_json(report), as_json, _report_text(report, rejects))
    if not report.versions:
        raise RecordError("没有一行可用，数据未变", "no row was accepted: nothing changed")


@main.command(short_help="覆盖分析 Measure whom the service points reach.")
@coverage_options
@click.option("--plan", metavar="RUN", help="As if this plan of sites (a run of lamplight site) were carried out.")
@click.option("--version", "versions", multiple=True, type=int, metavar="ID",
              help="Use this version of a layer instead of the current one; may be repeated.")  # fmt: skip
@click.option("--level", type=click.Choice([*LEVELS, "grid_cell"]), help="The tier to print and to colour maps by.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for tables and maps.")
@store_options
def coverage(
    plan: str | None, versions: tuple[int, ...], level: str | None, out: Path | None, db: str, as_json: bool,
    **asked: Any,
) -> None:  # fmt: skip
    """Measure which people, streets and hours are within reach of a service point."""
    from layers.store import Store
    from planner.runs import STEPS, run_coverage

    store = Store(db)
    question = coverage_question(**asked, plan=None if plan is None else store.run(plan).id)
    with Progress(STEPS) as progress:
        run = run_coverage(store, question, versions=_chosen(store, versions), progress=progress)
    _show(store, run, out, level, as_json)


@main.command(short_help="选址 Choose where the next service points should stand.")
@siting_options
@click.option("--candidates", default="junctions", show_default=True, metavar="FILE|junctions|midpoints|layer",
              help="Where new points may stand; FILE is imported first, layer is what was imported last.")  # fmt: skip
@click.option("--within", multiple=True, metavar="AREA", help="Only in this area (code or name); may be repeated.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for tables and maps.")
@store_options
def site(candidates: str, out: Path | None, db: str, as_json: bool, **asked: Any) -> None:
    """Choose where the next service points should stand, with a proof of how good the choice is.

    \b
    mclp        reach the most demand with --count points or a --budget
    lscp        reach everyone (or a --share) with the fewest points
    pmedian     make the total walk shortest          pcenter  make the longest walk shortest
    backup      mclp, and a second point within reach where possible
    capacitated mclp within capacities                cpmedian pmedian within capacities
    mix         build, convert and upgrade within a --budget
    periods     build in steps, --counts 3,3,4; what is built stays
    robust      do best in the worst --scenario       equity   serve the worst-off area best
    frontier    every best trade of coverage --against cost or equity
    """
    from layers.store import Store
    from planner.runs import SITING_STEPS, run_siting

    store = Store(db)
    if candidates not in ("junctions", "midpoints", "layer"):
        _import_candidates(store, Path(candidates), as_json)
        candidates = "layer"
    question = siting_question(candidates=candidates, **asked)
    with Progress(SITING_STEPS) as progress, Interrupt() as stop:
        run = run_siting(store, question, progress=progress, cancelled=stop.is_set, hear=progress.hear)
    _show(store, run, out, question.level if question.problem in ("equity", "frontier") else None, as_json)


@main.command(short_help="比较 Show what one coverage run gains or loses against another.")
@click.argument("before", required=False)
@click.argument("after", required=False)
@click.option("--level", type=click.Choice([*LEVELS, "grid_cell"]), default="subdistrict", show_default=True,
              help="The tier to print.")  # fmt: skip
@store_options
def compare(before: str | None, after: str | None, level: str, db: str, as_json: bool) -> None:
    """Show what coverage run AFTER gains or loses against run BEFORE; by default, of the last two."""
    from layers.store import Store
    from planner.runs import run_comparison
    from web.text_tables import comparison_text

    store = Store(db)
    if before is None:
        newest = [run.id for run in store.runs("coverage")[:2]]
        if len(newest) < 2:
            raise QuestionError("至少需要两次覆盖分析才能比较", "there must be two coverage runs to compare")
        after, before = newest
    elif after is None:
        raise QuestionError("请指明两次分析", "name two runs, or none to compare the last two")
    run = run_comparison(store, before, after)
    areas = run.tables["areas"]
    rows = json.loads(areas[areas["level"] == level].to_json(orient="records"))
    say({"run": run.id, **run.parameters, "areas": rows}, as_json, comparison_text(run, level=level))


@main.command("runs", short_help="历次分析 List the analyses kept, or show one.")
@click.argument("run_id", metavar="[ID]", required=False)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write run ID's files again, here.")
@store_options
def list_runs(run_id: str | None, out: Path | None, db: str, as_json: bool) -> None:
    """List the analyses kept, or show the run ID."""
    from layers.store import Store
    from web.text_tables import run_list

    store = Store(db)
    if run_id is None:
        kept = [run for run in store.runs() if run.kind != "effort"]  # records beside the analyses
        listed = [
            {"run": run.id, "kind": run.kind, "created_at": str(run.created_at), "seconds": run.seconds,
             "software": run.software, "parameters": dict(run.parameters), "inputs": dict(run.inputs)}
            for run in kept
        ]  # fmt: skip
        say({"runs": listed}, as_json, run_list(kept))
        return
    _show(store, store.run(run_id), out, None, as_json)


@main.command("layers", short_help="图层版本 List the layers imported, with their versions.")
@click.option("--prune", is_flag=True, help="Remove every version that is no longer current.")
@store_options
def list_layers(prune: bool, db: str, as_json: bool) -> None:
    """List the layers imported, with their versions."""
    from layers.store import Store
    from web.text_tables import version_list

    store = Store(db)
    removed = store.prune() if prune else []
    kept = store.versions()
    listed = [
        {"version": v.id, "layer": v.layer, "part": v.part, "current": v.active, "rows": v.accepted,
         "rejected": v.rejected, "source": v.source, "created_at": str(v.created_at), "approximate": v.approximate,
         "content_sha256": v.content_sha256}
        for v in kept
    ]  # fmt: skip
    say({"layers": listed, "removed": [v.id for v in removed]}, as_json, version_list(kept, removed))


@main.command(short_help="导出图层 Write a layer to a file.")
@click.argument("layer", type=click.Choice(LAYERS))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--level", type=click.Choice(LEVELS), help="Tier, for areas.")
@click.option("--version", "version_id", type=int, metavar="ID", help="This version instead of the current one.")
@store_options
def export(layer: str, file: Path, level: str | None, version_id: int | None, db: str, as_json: bool) -> None:
    """Write LAYER to FILE: .gpkg .geojson .shp .zip .csv .xlsx .parquet or .kml, by its ending."""
    from gis.files import write_table
    from layers.store import Store

    if layer == "areas" and level is None:
        raise QuestionError("导出辖区须用 --level 指明层级", "areas need --level to say which tier")
    table = Store(db).load(layer, level or "", version=version_id)
    write_table(table, file, layer=layer)
    say({"file": str(file), "rows": len(table)}, as_json, f"{len(table)} 行 / rows -> {file}")


def _import_candidates(store: "Store", file: Path, as_json: bool) -> None:
    """Import a file of candidates ahead of the question, saying what became of its rows."""
    from layers.imports import STEPS as IMPORT_STEPS
    from layers.imports import import_file

    with Progress(IMPORT_STEPS) as progress:
        report = import_file(store, "candidates", file, progress=progress)
    click.echo(_report_text(report, None), err=as_json)
    if not report.versions:
        raise RecordError("没有一个候选点可用", "no candidate was accepted")


def _write(store: "Store", run: "Run", out: Path, level: str | None) -> list[Path]:
    """Write the files of a coverage or siting run."""
    from web.coverage_files import WRITERS as COVERAGE_WRITERS
    from web.coverage_files import write_coverage
    from web.siting_files import WRITERS as SITING_WRITERS
    from web.siting_files import write_siting

    kinds = {"coverage": (COVERAGE_WRITERS, write_coverage), "siting": (SITING_WRITERS, write_siting)}
    writers, write = kinds[run.kind]
    with Progress(list(writers), "写出 writing") as progress:
        return write(store, run, out, level=level, progress=progress)


def _show(store: "Store", run: "Run", out: Path | None, level: str | None, as_json: bool) -> None:
    """Print a coverage or siting run and write its files."""
    from planner.coverage_answer import coverage_json
    from planner.siting.answer_json import siting_json
    from web.siting_text import siting_text
    from web.text_tables import coverage_text

    shown = {"patrol": show_patrol, "tracks": show_tracks}.get(run.kind)
    if shown is None and run.kind.startswith("hotspot-"):
        shown = show_hotspots
    if shown is not None:
        shown(store, run, out, as_json)
        return
    if run.kind not in ("coverage", "siting"):
        raise QuestionError(
            f"分析 {run.id}（{run.kind}）没有可显示的结果", f"run {run.id} is a {run.kind}: it has nothing to show"
        )
    written = [] if out is None else _write(store, run, out, level)
    covers = run.kind == "coverage"
    if as_json:
        say(coverage_json(run, level=level) if covers else siting_json(run, level=level), True, "")
    else:
        click.echo(coverage_text(run, level=level) if covers else siting_text(run))
        list_files(written)


def _chosen(store: "Store", versions: tuple[int, ...]) -> dict[tuple[str, str], int]:
    """Return (layer, part) -> version id for the versions a user named."""
    kept = {v.id: v for v in store.versions()}
    unknown = [number for number in versions if number not in kept]
    if unknown:
        raise QuestionError(f"没有版本 {unknown[0]}", f"there is no version {unknown[0]} (see: lamplight layers)")
    return {(kept[number].layer, kept[number].part): number for number in versions}


def _report_json(report: "ImportReport") -> dict[str, Any]:
    return {
        "layer": report.layer,
        "part": report.part,
        "versions": [v.id for v in report.versions],
        "given": report.given,
        "accepted": report.accepted,
        "rejected": report.rejected,
        "reasons": {str(k): int(n) for k, n in report.rejects["code"].value_counts().items()},
        "warnings": [{"zh": note.zh, "en": note.en} for note in report.warnings],
        "notes": [{"zh": note.zh, "en": note.en} for note in report.notes],
    }


def _report_text(report: "ImportReport", rejects: Path | None) -> str:
    name = " ".join(filter(None, (report.layer, report.part)))
    lines = [
        f"{name}: {report.given} 行 = {report.accepted} 接受 + {report.rejected} 拒绝 / "
        f"{report.given} rows = {report.accepted} accepted + {report.rejected} rejected"
    ]
    for (code, zh, en), rows in report.rejects.groupby(["code", "zh", "en"], sort=False):
        lines.append(f"  拒绝 rejected {len(rows)} [{code}] {zh} / {en}")
    if report.rejected and rejects is None:
        lines.append("  用 --rejects 文件.csv 写出被拒绝的行 / --rejects FILE.csv writes the refused rows")
    lines += [f"  注意 look: {note.zh} / {note.en}" for note in report.warnings]
    lines += [f"  · {note.zh} / {note.en}" for note in report.notes]
    return "\n".join(lines)


def _known_timezone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise click.BadParameter(f"未知时区 / unknown time zone {name!r}", param_hint="--timezone") from None


main.add_command(demo)
main.add_command(batch)
main.add_command(patrol)
main.add_command(hotspots)
main.add_command(backup)
main.add_command(restore)
main.add_command(retire)
main.add_command(account)
main.add_command(audit)
main.add_command(serve)
main.add_command(worker)


if __name__ == "__main__":
    main()
