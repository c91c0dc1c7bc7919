"""What matched tracks add to the record of effort: kept without names, by week and hour; as it ages, by month."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import pandas as pd

from layers.run import Run
from layers.store import Store
from planner.hotspots.effort import monthly, weekly
from planner.runs import software

KIND = "effort"
#: How other runs name what they read of it: "effort/ID".
EFFORT = "effort/"
_FILE, _STREETS = "file/", "streets"


def keep_effort(
    store: Store, effort: pd.DataFrame, duty: str, files: Sequence[str], streets: str, now: datetime, *,
    also: Mapping[str, str] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Keep what one matching of tracks found walked.

    effort : segment_id, date, hour, metres. duty : the hours looked at. files : hashes of the files, no names.
    streets : content hash of the streets the segments are of. also : what else tells this matching from another of the
    same files.
    """
    inputs = {_STREETS: streets, **also, **{f"{_FILE}{sha[:12]}": sha for sha in files}}
    store.save_run(Run(KIND, {"duty": duty}, inputs, {"effort": weekly(effort)}, software()), now=now)


def effort_inputs(store: Store, streets: str) -> tuple[dict[str, str], int]:
    """Return what tracks added, as inputs of a run ("effort/ID" -> ID), and how many matchings are of other streets.

    streets : content hash of the streets in use; segments of others mean other places. A matching counts unless all
    its files are in another one of the same duty that holds more, or as many and is newer.
    """
    runs = store.runs(KIND)  # newest first
    mine = [run for run in runs if run.inputs.get(_STREETS) == streets]
    counted = _counted(mine)
    return {f"{EFFORT}{run.id}": run.id for run in sorted(counted, key=lambda run: run.id)}, len(runs) - len(mine)


def merge_effort(store: Store, before: datetime) -> None:
    """Merge all matchings kept before ``before`` (UTC) into one, after which no file and no night stands out."""
    limit = before.replace(tzinfo=None)
    runs = [run for run in store.runs(KIND) if run.created_at is not None and run.created_at < limit]
    for streets in sorted({str(run.inputs.get(_STREETS, "")) for run in runs}):
        mine = [run for run in runs if run.inputs.get(_STREETS, "") == streets]
        if len(mine) == 1 and not _files(mine[0]):
            continue
        together = [store.run(run.id).tables["effort"] for run in _counted(mine)]
        ids = sorted(run.id for run in mine)
        name = hashlib.sha256("".join(ids).encode()).hexdigest()[:12]
        merged = Run(KIND, {"merged": name}, {_STREETS: streets}, {"effort": monthly(together)}, software())
        store.merge_runs(merged, ids, now=before)


def _counted(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that count, each file of one duty once where files allow it."""
    order = sorted(range(len(runs)), key=lambda i: (-len(_files(runs[i])), i))
    counted: list[Run] = []
    for i in order:
        files, duty = _files(runs[i]), runs[i].parameters.get("duty")
        held = (other for other in counted if other.parameters.get("duty") == duty)
        if not files or not any(files <= _files(other) for other in held):
            counted.append(runs[i])
    return counted


def _files(run: Run) -> set[str]:
    return {sha for name, sha in run.inputs.items() if name.startswith(_FILE)}
