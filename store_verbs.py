"""The command line's verbs of the store as a whole: kept in one file, and filled from one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from terminal import Progress, say, store_options

_AS_SENSITIVE = (
    "备份含全部个人信息与口令摘要，须与数据库同样保管 / a backup holds every person's data and the accounts: "
    "guard it as you guard the store"
)


@click.command(short_help="备份 Write everything in the store to one file, while it is in use.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@store_options
def backup(file: Path, db: str, as_json: bool) -> None:
    """Write everything the store holds to FILE, as it is at this moment; the server may go on.

    FILE fits SQLite and PostgreSQL alike (see lamplight restore). It is as sensitive as the store itself.
    """
    from layers.backup import BACKUP_STEPS, write_backup

    with Progress(BACKUP_STEPS) as progress:
        made = write_backup(db, file, now=datetime.now(UTC), progress=progress)
    size = file.stat().st_size
    values = {"file": str(file), "bytes": size, "rows": made.rows, "revision": made.revision,
              "created_at": made.created_at}  # fmt: skip
    done = f"已备份 {made.rows:,} 行 / {made.rows:,} rows backed up: {file} ({size / 1e6:,.1f} MB)"
    say(values, as_json, f"{done}\n{_AS_SENSITIVE}")


@click.command(short_help="恢复 Fill an empty store from a backup.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@store_options
def restore(file: Path, db: str, as_json: bool) -> None:
    """Fill the store, which must be empty or not exist yet, with what the backup FILE holds: all of it, or nothing."""
    from layers.backup import RESTORE_STEPS, restore_backup

    with Progress(RESTORE_STEPS) as progress:
        made = restore_backup(file, db, progress=progress)
    values = {"file": str(file), "rows": made.rows, "revision": made.revision, "created_at": made.created_at,
              "city": made.city}  # fmt: skip
    city = f"{made.city} " if made.city else ""
    say(values, as_json, f"已恢复 {made.rows:,} 行 / {made.rows:,} rows restored: {city}{made.created_at}")


@click.command(short_help="归档 Bring finished reports into the records; remove and blank what is old.")
@click.option("--days", type=click.IntRange(1, 3650), default=180, show_default=True,
              help="Days without work after which a report loses contact, note, photos and exact place.")  # fmt: skip
@click.option("--track-days", type=click.IntRange(1, 3650),
              help="Days points of workers' tracks are kept from now on; 90 at first.")  # fmt: skip
@click.option("--job-days", type=click.IntRange(1, 3650), default=90, show_default=True,
              help="Days after its end a job goes, with its log; its result stays.")  # fmt: skip
@click.option("--place-days", type=click.IntRange(1, 3650),
              help="Days after which the layer reports keeps where somebody was found to about a kilometre only; "
                   "for ever exactly without it.")  # fmt: skip
@store_options
def retire(
    days: int, track_days: int | None, job_days: int, place_days: int | None, db: str, as_json: bool
) -> None:  # fmt: skip
    """Make reports that led to an outcome rows of the layer reports, then remove and blank what is old.

    To be run every night; doing it twice changes nothing. The layer keeps when and where somebody was found, as it does
    for every discovery report, and nothing of what was said; with --place-days its old places lose their exactness,
    and its older versions go. Points of tracks from grid workers' phones go once they are older than --track-days said
    last, jobs after --job-days, sessions once they have ended, and files that were sent for a preview and not imported
    within a day.
    """
    from layers.forgetting import forget_jobs, forget_sessions, forget_uploads
    from layers.phone import KEEP_SETTING, forget_tracks
    from layers.report_keeping import coarsen, purge, to_layer
    from layers.store import Store

    store, now = Store(db), datetime.now(UTC)
    version = to_layer(store, now=now)
    values = {
        "rows": version.accepted if version else 0, "version": version.id if version else None,
        "blanked": purge(store, now - timedelta(days=days), now=now),
        "coarsened": coarsen(store, now - timedelta(days=place_days), now=now) if place_days else 0,
    }  # fmt: skip
    if track_days is not None:
        store.set_setting(KEEP_SETTING, str(track_days))
    values |= {
        "forgotten": forget_tracks(store, now=now),
        "jobs": forget_jobs(store, now - timedelta(days=job_days), now=now),
        "sessions": forget_sessions(store, now=now), "uploads": forget_uploads(store, now=now),
    }  # fmt: skip
    first = "发现报告图层现有 {rows:,} 行 / the layer reports now holds {rows:,} rows" if version else (
        "没有新的办结报告 / no report has ended since"
    )  # fmt: skip
    say(values, as_json, "\n".join((first, *_RETIRED)).format(**values))


#: What became of the rest, a line each.
_RETIRED = (
    "已清除 {blanked:,} 份旧报告的隐私部分 / {blanked:,} old reports blanked",
    "图层中 {coarsened:,} 份旧报告的位置已改为约一公里 / {coarsened:,} old places in the layer made coarse",
    "已删除 {forgotten:,} 段到期轨迹 / {forgotten:,} old stretches of tracks removed",
    "已删除 {jobs:,} 个早已结束的任务 / {jobs:,} jobs that ended long ago removed",
    "已删除 {sessions:,} 次已结束的登录 / {sessions:,} ended sessions removed",
    "已删除 {uploads:,} 个未导入的文件 / {uploads:,} files nobody imported removed",
)
