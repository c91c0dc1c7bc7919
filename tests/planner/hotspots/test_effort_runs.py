"""What tracks add to the record of effort: each file once, no names, merged as it ages."""

import datetime as dt
from pathlib import Path

import pandas as pd
import pytest

from layers.store import Store
from planner.hotspots.effort_runs import effort_inputs, keep_effort, merge_effort

NOW = dt.datetime(2026, 9, 1, 12, 0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "city.sqlite"))
    store.create()
    return store


def keep(store: Store, metres: float, *files: str, duty: str = "20:00-24:00", streets: str = "s", day: int = 0) -> None:
    effort = pd.DataFrame({"segment_id": [1], "date": ["2026-08-03"], "hour": [21], "metres": [metres]})
    keep_effort(store, effort, duty, files, streets, NOW + dt.timedelta(days=day))


def counted(store: Store, streets: str = "s") -> float:
    ids, _ = effort_inputs(store, streets)
    return sum(store.run(run_id).tables["effort"]["metres"].sum() for run_id in ids.values())


def test_files_matched_alone_and_then_in_a_folder_count_once(store: Store) -> None:
    keep(store, 100.0, "a")
    keep(store, 250.0, "a", "b", day=1)
    assert counted(store) == 250.0
    keep(store, 300.0, "a", "b", "c", day=2)
    assert counted(store) == 300.0
    keep(store, 90.0, "b", day=3)  # once more, alone: the folder holds it
    assert counted(store) == 300.0


def test_other_hours_of_the_same_file_add_up_and_other_streets_do_not(store: Store) -> None:
    keep(store, 100.0, "a", duty="18:00-22:00")
    keep(store, 40.0, "a", duty="22:00-02:00")
    keep(store, 7.0, "a", streets="older")
    assert counted(store) == 140.0 and counted(store, "older") == 7.0
    assert effort_inputs(store, "s")[1] == 1


def test_effort_of_a_month_is_merged_and_no_file_or_night_stands_out(store: Store) -> None:
    keep(store, 100.0, "a")
    keep(store, 250.0, "a", "b", day=1)
    keep(store, 60.0, "c", day=2)
    keep(store, 5.0, "d", day=40)
    before = counted(store)
    merge_effort(store, NOW + dt.timedelta(days=30))
    assert counted(store) == before == 315.0
    runs = store.runs("effort")
    assert len(runs) == 2
    old = min(runs, key=lambda run: run.created_at)
    assert not [name for name in old.inputs if name != "streets"]
    table = store.run(old.id).tables["effort"]
    assert table.to_dict("records") == [
        {"segment_id": 1, "walked_from": "2026-08-01", "walked_until": "2026-08-31", "hour": 21, "metres": 310.0}
    ]
    merge_effort(store, NOW + dt.timedelta(days=30))  # again: nothing to do
    assert {run.id for run in store.runs("effort")} == {run.id for run in runs}
    merge_effort(store, NOW + dt.timedelta(days=60))
    assert counted(store) == 315.0 and len(store.runs("effort")) == 1


def test_no_name_of_a_file_is_kept(store: Store) -> None:
    keep(store, 1.0, "0123456789abcdef", "fedcba9876543210")
    (run,) = store.runs("effort")
    assert set(run.inputs) == {"streets", "file/0123456789ab", "file/fedcba987654"}
