"""A run of tracks as text for a terminal."""

from layers.run import Run
from layers.store import Store
from web.track_files import track_drawing

#: Tracks listed one by one; of more, the rest is counted.
TRACKS_LISTED = 25


def track_text(store: Store, run: Run) -> str:
    """Return what the tracks add up to, one line a track, what casts doubt on them, and the notes."""
    tracks, flags = run.tables["tracks"], run.tables["flags"]
    lines = [f"{words}: {figure}" for words, figure in track_drawing(store, run).totals]
    lines.append("")
    for row in tracks.head(TRACKS_LISTED).to_dict("records"):
        doubt = f"  ! {row['flags']}" if row["flags"] else ""
        name = " ".join(dict.fromkeys((row["track"], row["person"])))
        lines.append(
            f"{name}  {row['matched_m'] / 1000:.2f} km  "
            f"{row['kept']}/{row['points']} 点 points  未匹配 unmatched {row['unmatched_share']:.1%}{doubt}"
        )
    if len(tracks) > TRACKS_LISTED:
        lines.append(f"…… 另有 {len(tracks) - TRACKS_LISTED} 条 / and {len(tracks) - TRACKS_LISTED} more")
    for row in run.tables["done"].to_dict("records"):
        lines.append(f"{row['crew']} {row['persons']}  计划完成 of the plan walked {row['walked_share']:.1%}")
    for code, rows in flags.groupby("code", sort=False):
        first = rows.iloc[0]
        count = f"{rows['track'].nunique()} 条轨迹 tracks"
        lines.append(f"疑点 flag [{code}] {count}，如 such as: {first['zh']} / {first['en']}")
    lines += [f"· {zh} / {en}" for zh, en in zip(run.tables["notes"]["zh"], run.tables["notes"]["en"], strict=True)]
    return "\n".join(lines)
