"""What is published: refusals, the ledger, and ranges found by the tree, by linear programmes and by counting."""

import datetime as dt
import io
import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linprog
from scipy.sparse import csr_array

from gis.errors import QuestionError
from planner.hotspots.release import ReleaseQuestion, numbers, release, shown_again, table_hash
from planner.hotspots.release_audit import Sums, implied_ranges, narrowest_range, published_sums
from planner.hotspots.release_budget import LedgerRow, hold_ledger, ledger_row, most_spent_around, spent
from planner.hotspots.release_geography import Geography
from planner.hotspots.release_suppression import hidden_nodes, ranges
from planner.watch import Watch
from tests.planner.hotspots.random_releases import NOW, member_rows, random_counts, random_geography

#: Two subdistricts of three and two cells, in one city.
TOWN = Geography(
    "square", 300.0, ("cell", "subdistrict", "city"), (tuple("abcde"), ("north", "south"), ("all",)),
    (np.array([0, 0, 0, 1, 1]), np.array([0, 0])),
)  # fmt: skip
COUNTS = np.array([3, 14, 60, 25, 31])
below = random.Random(1).randrange


def asked(**fields) -> ReleaseQuestion:
    return ReleaseQuestion(**{"year": 2026, "quarter": 1, **fields})


def published(counts=COUNTS, town=TOWN, ledger=(), now=NOW, **fields):
    return release(counts, town, asked(**fields), ledger, now=now, randbelow=below)


def row(year, quarter, epsilon=Fraction(1, 4), geography="g") -> LedgerRow:
    return LedgerRow(
        year=year, quarter=quarter, epsilon=epsilon, counts_per_person=3, geography=geography, table_hash="",
        created="",
    )  # fmt: skip


def test_a_small_cell_and_the_smallest_beside_it_are_hidden_and_the_rest_is_rounded() -> None:
    table = published(protection="suppression").table.set_index("id")
    # 3 is small; with 14 hidden as well 17 is left for the two, under 2 x 10, so 60 goes too
    assert table.index[table["suppressed"]].tolist() == ["a", "b", "c"]
    assert table["people"].dropna().to_dict() == {"d": 25, "e": 30, "north": 75, "south": 55, "all": 135}
    assert table["people"].isna().tolist() == table["suppressed"].tolist()


def test_the_reason_a_number_is_hidden_is_not_told() -> None:
    table = published(protection="suppression").table
    hidden = table[table["suppressed"]].drop(columns="id").drop_duplicates()
    assert len(hidden) == 1


def test_an_area_of_one_cell_shares_that_cells_fate() -> None:
    town = Geography("area", 0.0, ("community", "district"), (("a", "b"), ("x", "y")), (np.array([0, 1]),))
    table = published(np.array([4, 90]), town, protection="suppression").table.set_index("id")
    assert table.index[table["suppressed"]].tolist() == ["a", "x"]


def test_a_hidden_area_whose_parts_are_all_shown_hides_one_of_them() -> None:
    town = Geography(
        "area", 0.0, ("community", "district", "city"), (tuple("abcd"), ("x", "y"), ("all",)),
        (np.array([0, 1, 1, 1]), np.array([0, 0])),
    )  # fmt: skip
    table = published(np.array([4, 30, 40, 50]), town, protection="suppression").table.set_index("id")
    # x is small, y would give it away, and so would b, c and d together
    assert table.index[table["suppressed"]].tolist() == ["a", "b", "x", "y"]
    assert table.loc["all", "people"] == 125


@given(st.integers(0, 10**6), st.sampled_from([0.0, -math.inf]))
@settings(max_examples=40)
def test_ranges_of_the_tree_are_those_of_both_linear_programmes(seed, floor) -> None:
    rng = np.random.default_rng(seed)
    town = random_geography(rng, tiers=int(rng.integers(1, 5)), most_cells=9)
    value = town.sums(random_counts(rng, town.n_cells))
    hidden = rng.random(len(value)) < rng.choice([0.3, 0.6, 0.9])
    rows = member_rows(town)
    tree = ranges(town, value, hidden, floor=floor)
    low, high = (np.where(hidden, end, value) for end in (-math.inf, math.inf))
    ours = implied_ranges(Sums(csr_array(rows), low, high), Watch(), floor=floor)
    for i in np.flatnonzero(hidden):
        theirs = peer_range(rows[~hidden], value[~hidden], rows[i], floor)
        assert (tree.low[i], tree.high[i]) == pytest.approx(theirs)
        assert (ours.low[i], ours.high[i]) == pytest.approx(theirs)


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_ranges_over_overlapping_and_rounded_tables_are_those_of_scipys_programmes(seed) -> None:
    rng = np.random.default_rng(seed)
    n, b = int(rng.integers(2, 8)), int(rng.integers(2, 7))
    rows = np.unique(np.vstack([np.eye(b), rng.integers(0, 2, (n, b))]), axis=0)
    rows = rows[rows.sum(axis=1) > 0]
    value = rows @ rng.integers(0, 40, b)
    hidden = rng.random(len(rows)) < 0.6
    low, high = np.where(hidden, -math.inf, value - 2.5), np.where(hidden, math.inf, value + 2.5)
    ours = implied_ranges(Sums(csr_array(rows), low, high), Watch())
    shown = rows[~hidden]
    for i in np.flatnonzero(hidden):
        ends = [
            linprog(
                sign * rows[i], A_ub=np.vstack([shown, -shown]), b_ub=np.concatenate([high[~hidden], -low[~hidden]]),
                bounds=(0, None),
            )
            for sign in (1, -1)
        ]  # fmt: skip
        theirs = [end.fun if end.status == 0 else math.inf * -1 for end in ends]
        assert (ours.low[i], ours.high[i]) == pytest.approx((theirs[0], -theirs[1]))


def peer_range(shown, value, wanted, floor):
    ends = []
    for sign in (1, -1):
        bounds = (floor, None) if math.isfinite(floor) else (None, None)
        found = linprog(sign * wanted, A_eq=shown, b_eq=value, bounds=bounds)
        ends.append(sign * found.fun if found.status == 0 else -sign * math.inf)
    return tuple(ends)


def test_ranges_of_a_tiny_table_are_those_of_counting_all_tables() -> None:
    rows = member_rows(TOWN)
    value = TOWN.sums(np.array([1, 2, 3, 2, 1]))
    hidden = np.array([1, 1, 0, 1, 1, 1, 1, 0], bool)
    tables = np.array([t for t in itertools.product(range(10), repeat=5) if sum(t) == 9])
    sums = tables @ rows.T
    agree = sums[(sums[:, ~hidden] == value[~hidden]).all(axis=1)]
    found = ranges(TOWN, value, hidden, floor=0.0)
    assert found.low.tolist() == agree.min(axis=0).tolist()
    assert found.high.tolist() == agree.max(axis=0).tolist()


def test_published_numbers_that_contradict_one_another_are_refused() -> None:
    table = published(protection="suppression").table
    table["people"] = table["people"].mask(table["id"] == "all", 500)
    with pytest.raises(QuestionError):
        implied_ranges(published_sums(TOWN, [table], 5), Watch())


def test_an_archive_of_quarters_is_read_from_its_published_tables_alone() -> None:
    tables = [published(COUNTS + q, quarter=q, protection="suppression").table for q in (1, 2, 3)]
    sums = published_sums(TOWN, tables, 5)
    found = implied_ranges(sums, Watch())
    assert sums.hidden.sum() == sum(t["suppressed"].sum() for t in tables)
    assert (found.high - found.low)[sums.hidden].min() == narrowest_range(TOWN, tables, Watch(), step=5, noise=False)


def test_no_archive_of_random_cities_ties_a_hidden_number_down() -> None:
    rng = np.random.default_rng(11)
    for noise in [True, False] * 20:
        town = random_geography(rng, tiers=3)
        protection = "noise" if noise else "suppression"
        tables = [
            published(random_counts(rng, town.n_cells), town, quarter=q, protection=protection).table for q in (1, 2)
        ]
        narrowest = narrowest_range(town, tables, Watch(), step=5, noise=noise)
        assert narrowest == math.inf if noise else narrowest >= 20


def test_the_check_of_an_archive_finds_a_number_that_subtraction_gives_away() -> None:
    table = published(protection="suppression").table
    table["people"] = table["people"].mask(table["id"] == "c", 60)
    table["people"] = table["people"].mask(table["id"] == "b", 15)
    assert narrowest_range(TOWN, [table], Watch(), step=5, noise=False) < 10
    assert narrowest_range(TOWN, [table], Watch(), step=5, noise=True) < math.inf


def test_noise_shows_no_number_under_ten_and_the_city_keeps_its_margin() -> None:
    rng = np.random.default_rng(3)
    held = []
    for _ in range(60):
        town = random_geography(rng, tiers=2)
        counts = random_counts(rng, town.n_cells)
        table = published(counts, town, epsilon=Fraction(1)).table
        shown = ~table["suppressed"]
        assert (table["people"][shown] >= 10).all() and (table["people"][shown] % 5 == 0).all()
        top = (table["tier"] == "tier1") & shown
        held += (np.abs(table["people"] - town.sums(counts)) <= table["margin"])[top].tolist()
    assert np.mean(held) > 0.8


def test_few_of_the_numbers_shown_are_of_fewer_than_ten_people_even_in_a_city_of_empty_cells() -> None:
    n = 2_000
    town = Geography("square", 300.0, ("cell",), (tuple(map(str, range(n))),))
    counts = np.where(np.arange(n) < 60, 150, np.where(np.arange(n) < 400, 9, 0))
    shares, shown = [], 0
    for _ in range(30):
        out = numbers(counts, town, asked(), below)
        shares.append((counts[~out.hidden] < 10).mean() if (~out.hidden).any() else 0.0)
        shown += (~out.hidden).sum()
    assert np.mean(shares) < 0.05
    assert shown / 30 > 40


def test_an_empty_city_shows_next_to_nothing() -> None:
    town = Geography("square", 300.0, ("cell",), (tuple(map(str, range(2_000))),))
    any_shown = [(~numbers(np.zeros(2_000, int), town, asked(), below).hidden).any() for _ in range(40)]
    assert sum(any_shown) <= stats.binom(40, 0.05).isf(0.001)


@pytest.mark.parametrize(
    "fields",
    [
        {"place": "segments"}, {"place": "roads"}, {"period": "hour"}, {"period": "month"}, {"quarter": 5},
        {"epsilon": Fraction(0)}, {"epsilon": Fraction(5, 4)}, {"least": 9}, {"step": 7}, {"delay_quarters": 0},
        {"counts_per_person": 0}, {"protection": "none"}, {"false_share": 0.6},
    ],
)  # fmt: skip
def test_what_no_release_may_hold_is_refused_in_both_languages(fields) -> None:
    with pytest.raises(QuestionError) as refused:
        asked(**fields)
    assert refused.value.zh and refused.value.en


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "segment"}, {"size_m": 299.0}, {"size_m": math.nan}, {"ids": (("a", "a"), ("x",))},
        {"parents": (np.array([0, 1]),)}, {"parents": (np.array([0, -1]),)}, {"parents": ()},
    ],
)  # fmt: skip
def test_a_geography_of_small_cells_or_without_a_tree_is_refused(fields) -> None:
    good = {
        "kind": "square", "size_m": 300.0, "tiers": ("cell", "area"), "ids": (("a", "b"), ("x",)),
        "parents": (np.array([0, 0]),),
    }  # fmt: skip
    assert Geography(**good).n_cells == 2
    with pytest.raises(QuestionError):
        Geography(**{**good, **fields})


def test_counts_that_do_not_fit_the_cells_are_refused() -> None:
    for counts in (COUNTS[:4], -COUNTS):
        with pytest.raises(QuestionError):
            published(counts)


def test_a_quarter_waits_until_the_next_is_over() -> None:
    with pytest.raises(QuestionError, match="2026-07-01"):
        published(now=dt.datetime(2026, 6, 30, 23, 59))
    assert published(now=dt.datetime(2026, 7, 1)).row.created == "2026-07-01T00:00:00"
    with pytest.raises(QuestionError, match="2027-07-01"):
        published(quarter=4, delay_quarters=2, now=dt.datetime(2027, 6, 30))


def test_a_quarter_is_published_once_and_shown_again_word_for_word() -> None:
    first = published()
    with pytest.raises(QuestionError, match="was published"):
        published(ledger=[first.row])
    with pytest.raises(QuestionError, match="was published"):
        published(COUNTS + 1, ledger=[first.row], protection="suppression")
    assert shown_again(first.table, [first.row], 2026, 1) is first.table
    with pytest.raises(QuestionError, match="never"):
        shown_again(first.table, [first.row], 2026, 2)
    other = published()
    with pytest.raises(QuestionError, match="not the one"):
        shown_again(other.table.assign(margin=1), [first.row], 2026, 1)


def test_a_table_keeps_its_hash_through_a_file_and_loses_it_by_one_number() -> None:
    table = published(protection="suppression").table
    again = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert table_hash(again) == table_hash(table)
    assert table_hash(table.assign(people=table["people"] + 5)) != table_hash(table)


def test_other_cells_are_refused_once_one_table_is_out() -> None:
    first = published()
    town = Geography("square", 350.0, TOWN.tiers, TOWN.ids, TOWN.parents)
    with pytest.raises(QuestionError, match="fixed"):
        published(town=town, ledger=[first.row], quarter=2)
    moved = Geography("square", 300.0, TOWN.tiers, TOWN.ids, (np.array([0, 0, 1, 1, 1]), np.array([0, 0])))
    assert len({TOWN.key, town.key, moved.key}) == 3


def test_true_counts_and_noise_never_share_four_quarters() -> None:
    first = published()
    exact = published(protection="suppression").row
    assert exact.epsilon is None and spent([exact], 2026) == math.inf
    with pytest.raises(QuestionError, match="same four"):
        published(ledger=[first.row], quarter=4, protection="suppression")
    with pytest.raises(QuestionError, match="same four"):
        published(ledger=[exact], quarter=4)
    assert published(ledger=[exact], year=2027).row.epsilon == Fraction(1, 4)


def test_a_year_spends_at_most_one_also_across_new_year() -> None:
    rows = [row(2026, 3, Fraction(1, 2)), row(2026, 4, Fraction(1, 4))]
    assert spent(rows, 2026) == Fraction(3, 4) and spent(rows, 2027) == 0
    hold_ledger(rows, 2027, 1, Fraction(1, 4), "g")
    for quarter in (1, 2):
        with pytest.raises(QuestionError, match="short"):
            hold_ledger(rows, 2027, quarter, Fraction(1, 3), "g")
    hold_ledger(rows, 2027, 3, Fraction(3, 4), "g")
    assert most_spent_around(rows, 2027, 3) == Fraction(1, 4)


@given(st.lists(st.tuples(st.integers(2024, 2027), st.integers(1, 4), st.fractions(Fraction(1, 50), 1)), max_size=40))
def test_no_order_of_asking_ever_spends_more_than_one_in_four_quarters(tries) -> None:
    ledger: list[LedgerRow] = []
    for year, quarter, epsilon in tries:
        try:
            hold_ledger(ledger, year, quarter, epsilon, "g")
        except QuestionError:
            continue
        ledger.append(row(year, quarter, epsilon))
    by_quarter = {4 * r.year + r.quarter: r.epsilon for r in ledger}
    assert len(by_quarter) == len(ledger)
    for first in range(4 * 2023, 4 * 2029):
        assert sum(by_quarter.get(first + i, Fraction(0)) for i in range(4)) <= 1


def test_a_row_of_the_ledger_goes_through_texts_exactly() -> None:
    for epsilon in (Fraction(1, 3), None):
        kept = row(2026, 2, epsilon)
        assert ledger_row(kept.record()) == kept


def test_the_same_random_numbers_publish_the_same_bytes() -> None:
    tables = [
        release(COUNTS, TOWN, asked(), [], now=NOW, randbelow=random.Random(5).randrange).row.table_hash
        for _ in range(2)
    ]
    assert tables[0] == tables[1]


def test_a_release_holds_the_protected_numbers_and_nothing_else() -> None:
    table = release(COUNTS, TOWN, asked(), [], now=NOW, randbelow=random.Random(6).randrange).table
    bare = numbers(COUNTS, TOWN, asked(), random.Random(6).randrange)
    assert table["suppressed"].tolist() == bare.hidden.tolist()
    assert table["people"].dropna().tolist() == bare.people[~bare.hidden].tolist()
    assert table["people"].isna().tolist() == table["margin"].isna().tolist() == bare.hidden.tolist()
    assert list(table.columns) == ["tier", "id", "year", "quarter", "people", "suppressed", "margin"]


def test_nothing_but_the_smallest_helps_is_hidden_on_a_table_without_small_numbers() -> None:
    value = TOWN.sums(COUNTS + 10)
    assert not hidden_nodes(TOWN, value, value < 10, width=20.0, floor=0.0).any()
