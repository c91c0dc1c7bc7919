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


@click.command(short_help="归档 Bring finished reports into the records; blank what is private in old ones.")
@click.option("--days", type=click.IntRange(1, 3650), default=180, show_default=True,
              help="Days without work after which a report loses contact, note, photos and exact place.")  # fmt: skip
@click.option("--track-days", type=click.IntRange(1, 3650),
              help="Days points of workers' tracks are kept from now on; 90 at first.")  # fmt: skip
@store_options
def retire(days: int, track_days: int | None, db: str, as_json: bool) -> None:
    """Make reports that led to an outcome rows of the layer reports, then blank what is private in old ones.

    To be run every night; doing it twice changes nothing. The layer keeps when and where somebody was found, as it does
    for every discovery report, and nothing of what was said. Points of tracks from grid workers' phones go once they
    are older than --track-days said last, and files that were sent for a preview and not imported within a day.
    """
    from layers.phone import KEEP_SETTING, forget_tracks
    from layers.report_keeping import purge, to_layer
    from layers.store import Store
    from layers.uploads import forget_old

    store, now = Store(db), datetime.now(UTC)
    version = to_layer(store, now=now)
    forget_old(store, now=now)
    blanked = purge(store, now - timedelta(days=days), now=now)
    if track_days is not None:
        store.set_setting(KEEP_SETTING, str(track_days))
    forgotten = forget_tracks(store, now=now)
    kept = version.accepted if version else 0
    text = f"发现报告图层现有 {kept:,} 行 / the layer reports now holds {kept:,} rows" if version else (
        "没有新的办结报告 / no report has ended since"
    )  # fmt: skip
    values = {"rows": kept, "version": version.id if version else None, "blanked": blanked,
              "forgotten": forgotten}  # fmt: skip
    text += f"\n已清除 {blanked:,} 份旧报告的隐私部分 / {blanked:,} old reports blanked"
    say(values, as_json, f"{text}\n已删除 {forgotten:,} 段到期轨迹 / {forgotten:,} old stretches of tracks removed")
