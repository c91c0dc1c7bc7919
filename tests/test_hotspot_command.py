"""The verbs of hotspots as a user meets them: an answer for machines, and one line for every wrong input."""

import datetime as dt
import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from shapely import Point

import lamplight
from layers.store import Store
from tests.planner import toy_town


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The toy town with eighteen months of reports and patrols of two of its streets."""
    rng = np.random.default_rng(4)
    days = pd.date_range("2023-01-01", "2024-06-30", freq="2D")
    reports = toy_town.frame(
        [Point(x, 0) for x in rng.uniform(50, 1150, len(days))], report_id=[f"R{i}" for i in range(len(days))],
        found_at=list(days + pd.to_timedelta(rng.integers(0, 24 * 60, len(days)), unit="min")),
        channel=list(rng.choice(["patrol", "hotline"], len(days))), people=[1] * len(days),
    )  # fmt: skip
    effort = pd.DataFrame({
        "segment_id": [1, 2], "walked_from": dt.date(2023, 1, 1), "walked_until": dt.date(2024, 6, 30), "hours": "",
        "passes": [400.0, 100.0],
    })  # fmt: skip
    path = tmp_path_factory.mktemp("toy") / "town.sqlite"
    store = Store(str(path))
    store.create()
    layers = {**toy_town.layers_of_town(), ("reports", ""): reports, ("patrol-effort", ""): effort}
    toy_town.keep(store, layers).close()
    return f"sqlite:///{path}"


def ask(db: str, *words: str | Path) -> Result:
    return CliRunner().invoke(lamplight.main, ["hotspots", *map(str, words), "--db", db], catch_exceptions=True)


@pytest.mark.parametrize(
    "words",
    [
        ("map", "--cell-m", "100", "--permutations", "99"),
        ("map", "--channel", "hotline", "--within", "West", "--split", "heat", "--cells", "square"),
        ("scan", "--cell-m", "100", "--replications", "99"),
        ("scan", "--model", "poisson", "--analysis", "spatial", "--window", "ellipse", "--replications", "99"),
        ("emerging", "--from", "2023-01-01"),
        ("forecast", "--week", "2024-07-01"),
        ("backtest", "--origins", "3", "--cell-m", "200"),
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_an_answer_for_machines_is_one_object_and_can_be_had_again(db: str, words: tuple[str, ...]) -> None:
    result = ask(db, *words, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["kind"] == f"hotspot-{words[0]}" and told["summary"] and "NaN" not in result.stdout
    again = CliRunner().invoke(lamplight.main, ["runs", told["run"], "--db", db, "--json"])
    assert json.loads(again.stdout) == told
    text = ask(db, *words)
    assert text.exit_code == 0 and told["run"] in text.output


def test_a_quarter_is_published_and_told_again_the_same(db: str, tmp_path: Path) -> None:
    first, again = (ask(db, "release", "2023Q3", "--all-days", "--cells", "subdistrict", "--json") for _ in range(2))
    assert first.exit_code == 0 and first.stdout == again.stdout, first.output
    assert json.loads(first.stdout)["summary"]["quarter"] == "2023Q3"
    for words in (("release", "2023 年第 3 季度"), ("release", "2023Q3", "--out", tmp_path)):
        assert ask(db, *words).exit_code == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["release.csv", "release.geojson", "release.html", "release.png"]


@pytest.mark.parametrize(
    "words",
    [
        ("map", "--cell-m", "3"), ("map", "--from", "2024-13-01"),
        ("map", "--from", "2024-05-01", "--until", "2024-04-01"),
        ("map", "--channel", "radio"), ("map", "--within", "Nowhere"), ("map", "--detectability", "0"),
        ("map", "--from", "2030-01-01"), ("scan", "--replications", "5"), ("scan", "--most-days", "0"),
        ("scan", "--model", "space-time-permutation", "--analysis", "spatial"), ("emerging", "--from", "2024-05-01"),
        ("emerging", "--level", "7"), ("forecast", "--weather", "fog"), ("forecast", "--from", "2024-06-01"),
        ("backtest", "--origins", "40"), ("backtest", "--share", "1.5"), ("release", "2023"), ("release", "2023Q5"),
        ("release", "2099Q1"), ("release", "2023Q1", "--cells", "hexagon"), ("release", "2023Q1", "--epsilon", "x"),
        ("release", "2023Q1", "--epsilon", "3"), ("release", "2023Q1", "--times", "0"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_input_is_one_line_with_exit_code_two_and_keeps_nothing(db: str, words: tuple[str, ...]) -> None:
    ask(db, "release", "2023Q3", "--all-days")  # fixes the cells
    path = db.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        before = connection.execute("select count(*) from run").fetchone()
    result = ask(db, *words)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("lamplight: ") and result.stderr.count("\n") == 1
    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from run").fetchone() == before
