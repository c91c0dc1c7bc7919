"""Publications of a real city: once, word for word, on cells that never change, within a budget."""

import datetime as dt
import random
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gis.errors import QuestionError, StoreError
from layers.store import Store
from planner.hotspots.publishing import geography_from, geography_of, geography_table, hold_secret, placed_in
from planner.hotspots.release import ReleaseQuestion
from planner.hotspots.release_geography import Geography
from planner.hotspots.runs import UNREAD, load_hotspots, run_release
from planner.runs import used_versions

NOW = dt.datetime(2026, 9, 1, 12, 0)


@pytest.fixture
def store(linjiang: Store, tmp_path: Path) -> Store:
    """The town in a file of its own, to be published from."""
    shutil.copy(linjiang.address.removeprefix("sqlite:///"), tmp_path / "town.sqlite")
    return Store(str(tmp_path / "town.sqlite"))


def publish(store: Store, quarter: int, **other: object):
    asked = {"cells": "subdistrict", "size_m": 0.0, "counted": None, "now": NOW}
    asked |= {"randbelow": random.Random(quarter).randrange}
    question = {k: other.pop(k) for k in list(other) if k in ReleaseQuestion.__slots__}
    return run_release(store, ReleaseQuestion(year=2025, quarter=quarter, **question), **{**asked, **other})


def test_a_quarter_is_published_once_and_shown_again_word_for_word(store: Store) -> None:
    first = publish(store, 1)
    again = publish(store, 1, randbelow=random.Random(99).randrange, epsilon=Fraction(1, 2), cells="hexagon")
    pd.testing.assert_frame_equal(first.tables["published"], again.tables["published"])
    assert first.id == again.id and len(store.runs("hotspot-release")) == 1
    table = first.tables["published"]
    assert set(table["tier"]) == {"subdistrict", "district", "city"}
    shown = table.loc[~table["suppressed"], "people"]
    assert len(shown) and (shown >= 10).all() and (shown % 5 == 0).all()
    assert table.loc[table["suppressed"], "people"].isna().all()


def test_four_quarters_spend_the_budget_and_a_fifth_within_a_year_is_refused(store: Store) -> None:
    for quarter in (1, 2, 3):
        publish(store, quarter)
    with pytest.raises(QuestionError, match="budget"):
        publish(store, 4, epsilon=Fraction(1, 2))
    assert len(store.runs("hotspot-release")) == 3
    publish(store, 4)
    assert sum(Fraction(run_ledger(store, run.id)["epsilon"]) for run in store.runs("hotspot-release")) == 1


def run_ledger(store: Store, run_id: str) -> pd.Series:
    return store.run(run_id).tables["ledger"].iloc[0]


def test_the_cells_stay_when_streets_and_areas_change(store: Store) -> None:
    first = publish(store, 1, cells="hexagon", size_m=600.0)
    streets = store.load("streets").iloc[:3000]
    store.import_layer("streets", "", streets, source="newer", sha256="1")
    second = publish(store, 2, cells="hexagon", size_m=600.0)
    assert second.tables["geography"].equals(first.tables["geography"])
    with pytest.raises(QuestionError, match="fixed: hexagon 600 m"):
        publish(store, 3, cells="hexagon", size_m=500.0)
    with pytest.raises(QuestionError, match="fixed"):
        publish(store, 3)


def test_what_is_too_fine_too_new_or_too_often_is_refused_and_nothing_is_kept(store: Store) -> None:
    for bad in ({"cells": "square", "size_m": 200.0}, {"now": dt.datetime(2025, 5, 1)}, {"counted": 4},
                {"epsilon": Fraction(2)}, {"least": 5}, {"cells": "community", "counts_per_person": 0}):  # fmt: skip
        with pytest.raises(QuestionError) as refusal:
            publish(store, 1, **bad)
        assert refusal.value.zh and refusal.value.en
    assert not store.runs("hotspot-release")


@pytest.mark.parametrize(("cells", "size_m"), [("hexagon", 500.0), ("square", 300.0), ("community", 0.0)])
def test_a_geography_survives_its_table_and_holds_the_reports(linjiang: Store, cells: str, size_m: float) -> None:
    records = load_hotspots(linjiang, used_versions(linjiang, unread=UNREAD), [], lambda step: None)
    geography = geography_of(records.city, cells, size_m)
    again = geography_from(geography_table(geography))
    assert again.key == geography.key
    cell = placed_in(records, geography)
    assert (cell >= 0).mean() > 0.98
    inside = np.bincount(cell[cell >= 0], minlength=geography.n_cells)
    sums = geography.sums(inside)
    assert sums[-1] == inside.sum() and geography.tiers[-1] == "city"
    names = [one for ids in geography.ids for one in ids]
    district = np.array([str(code) for tier in records.city.tiers if tier.level == "district" for code in tier.code])
    if cells == "community":  # reports by district, counted without any geography
        of = records.city.reports.area["district"]
        for position, code in enumerate(district):
            assert sums[names.index(code)] == (of == position).sum()


def test_only_calendar_days_count_where_asked(store: Store) -> None:
    strict = publish(store, 1, counted=3, protection="suppression")
    loose = publish(store, 1 + 1, protection="suppression")
    people = [run.tables["published"]["people"].fillna(0).sum() for run in (strict, loose)]
    assert people[0] < people[1]
    assert "3 days" in strict.tables["notes"].set_index("code").loc["bound", "en"]


def test_two_who_publish_at_once_never_overspend_nor_use_two_geographies(store: Store) -> None:
    other = Store(store.address)

    def meanwhile(bound: int) -> int:
        """The first random number is asked for after the ledger was read: now somebody else publishes."""
        if not other.runs("hotspot-release"):
            publish(other, 2, epsilon=Fraction(1), cells="community")
        return random.Random(0).randrange(bound)

    with pytest.raises(StoreError, match="try again"):
        publish(store, 1, epsilon=Fraction(1), randbelow=meanwhile)
    assert [run.parameters["quarter"] for run in store.runs("hotspot-release")] == [2]
    other.close()


def test_a_quarter_without_any_report_is_not_published(store: Store) -> None:
    question = ReleaseQuestion(year=2015, quarter=1)
    with pytest.raises(QuestionError, match="no reports of 2015Q1"):
        run_release(store, question, cells="subdistrict", size_m=0.0, counted=None, now=NOW)
    assert not store.runs("hotspot-release")


def test_a_table_that_would_tell_what_it_hides_is_not_published() -> None:
    geography = Geography("area", 0.0, ("subdistrict", "city"), (("a", "b"), ("c",)), (np.zeros(2, np.int64),))
    hidden = [False, True, False]
    table = pd.DataFrame({
        "tier": ["subdistrict", "subdistrict", "city"], "id": ["a", "b", "c"], "year": 2025, "quarter": 1,
        "people": pd.array([60, None, 65], "Int64"), "suppressed": hidden, "margin": pd.array([2, None, 2], "Int64"),
    })  # fmt: skip
    for protection in ("noise", "suppression"):
        question = ReleaseQuestion(year=2025, quarter=1, protection=protection)
        with pytest.raises(QuestionError, match="worked out"):
            hold_secret(geography, [table], question)
        shown = table.assign(suppressed=[True, True, False], people=pd.array([None, None, 65], "Int64"))
        hold_secret(geography, [shown], question)
