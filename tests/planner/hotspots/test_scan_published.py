"""The scan statistic against SaTScan 10.3.2 and R SpatialEpi on their own data."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.satscan_files import UnknownAnalysisError, read_analysis
from benchmarks.scan_expected import standardised
from planner.hotspots.scan import scan
from planner.hotspots.scan_question import ScanCase, ScanQuestion
from tests.requirements import missing

INSTANCES = Path(__file__).parents[4] / "shared" / "instances" / "hotspots"


def folder(name: str) -> Path:
    if not (INSTANCES / name).is_dir():
        missing(f"the published instances (shared/instances/hotspots/{name} beside the checkout)")
    return INSTANCES / name


def reported(path: Path) -> list[dict[str, str]]:
    """The clusters of a SaTScan report, names of locations on one line."""
    text = path.read_text("utf-8").split("CLUSTERS DETECTED")[1].split("PARAMETER SETTINGS")[0]
    clusters = []
    for block in re.split(r"\n\d+\.(?=Location)", text)[1:]:
        joined = re.sub(r"\n {20,}", " ", block)
        clusters.append({k.strip(): v.strip() for k, v in re.findall(r"^\s*([\w /-]+?)\.*: (.*)$", joined, re.M)})
    return clusters


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "clusters", "statistic"),
    [("NewMexicoSpaceTimePoisson", 3, "Log likelihood ratio"), ("NYCSpaceTimePermutation", 6, "Test statistic")],
)
def test_clusters_ratios_and_p_values_are_those_of_satscan(name: str, clusters: int, statistic: str) -> None:
    here = folder("satscan")
    analysis = read_analysis(here / f"{name}.prm", replications=9_999)
    theirs = reported(here / f"{name}_99999.txt")
    ours = scan(analysis.case, analysis.question, windows=analysis.windows).clusters
    assert len(theirs) == clusters
    for mine, other in zip(ours, theirs, strict=False):
        assert [analysis.names[i] for i in mine.places] == other["Location IDs included"].split(", ")
        assert f"{mine.llr:.6f}" == other[statistic]
        assert mine.observed == int(other["Number of cases"])
        assert f"{mine.expected:.2f}" == other["Expected cases"]
        assert f"/ {mine.radius:.2f} km".replace("0.00", "0") in other["Coordinates / radius"]
        if "Relative risk" in other:
            assert f"{mine.relative_risk:.2f}" == other["Relative risk"]
        begins = [str(np.datetime64(int(analysis.begins[k]), "D")) for k in (mine.first_unit, mine.last_unit + 1)]
        first = re.sub("/0?", "-", other["Time frame"].split(" to ")[0])
        assert re.sub("-0?", "-", begins[0]) == first
        p = float(other["P-value"])
        assert mine.p_value == pytest.approx(p, abs=3.0 * np.sqrt(p * (1 - p) * (1 / 9_999 + 1 / 99_999)) + 1e-4)
    assert all(cluster.p_value > 0.999 for cluster in ours[clusters:])  # SaTScan leaves out those of p = 1


@pytest.fixture(scope="module")
def counties() -> tuple[pd.DataFrame, pd.DataFrame]:
    here = folder("spatialepi")
    return pd.read_csv(here / "pennLC_data.csv"), pd.read_csv(here / "pennLC_geo.csv")


def lung_cancer(counties, **model: np.ndarray) -> ScanCase:
    data, geo = counties
    n = len(geo)
    cases = data.groupby("county")["cases"].sum()[geo["county"]].to_numpy()
    here = np.arange(n), np.zeros(n, np.int64), cases
    return ScanCase(geo["x"].to_numpy(), geo["y"].to_numpy(), *here, 1, geographic=True, **model)


@pytest.mark.realdata
def test_the_binomial_clusters_of_pennsylvanias_lung_cancer_are_those_of_spatialepi(counties) -> None:
    data, geo = counties
    by = data.groupby("county")[["cases", "population"]].sum().loc[geo["county"]]
    controls = (by["population"] - by["cases"]).to_numpy()[:, None]
    case = lung_cancer(counties, controls=controls)
    first, second = scan(case, ScanQuestion("bernoulli", "spatial", replications=99)).clusters[:2]
    assert first.llr == pytest.approx(36.57051061, rel=1e-8)
    assert (len(first.places), first.observed) == (7, 2359)
    assert first.expected == pytest.approx(2008.22286, abs=5e-6)
    assert second.llr == pytest.approx(9.657778626, rel=1e-8)
    assert first.p_value == 0.01


@pytest.mark.realdata
def test_the_poisson_clusters_standardised_over_sixteen_strata_are_those_of_spatialepi(counties) -> None:
    data, geo = counties
    strata = data.groupby(["race", "gender", "age"])
    lived = np.stack([of.set_index("county").loc[geo["county"], "population"].to_numpy() for _, of in strata])
    expected = standardised(lived[:, :, None].astype(float), strata["cases"].sum().to_numpy(float))
    published = pd.read_csv(folder("spatialepi") / "pennLC_expected.csv").set_index("county")["expected"]
    assert expected[:, 0] == pytest.approx(published[geo["county"]].to_numpy(), rel=1e-9)
    case = lung_cancer(counties, expected=expected)
    first, second = scan(case, ScanQuestion("poisson", "spatial", replications=99)).clusters[:2]
    assert first.llr == pytest.approx(17.66288313, rel=1e-9)
    assert sorted(geo["county"].iloc[first.places]) == ["delaware", "philadelphia"]
    assert second.llr == pytest.approx(7.098944233, rel=1e-9)


def tiny(path: Path, **changed: str) -> Path:
    """A Bernoulli analysis of four places on a line, with parameters changed."""
    asked = {
        "CaseFile": "a.cas", "ControlFile": "a.ctl", "CoordinatesFile": "a.geo", "PrecisionCaseTimes": "0",
        "StartDate": "2024/1/1", "EndDate": "2024/12/31", "CoordinatesType": "0", "AnalysisType": "1", "ModelType": "1",
        "TimeAggregationUnits": "0", **changed,
    }  # fmt: skip
    (path / "a.cas").write_text("b 5\n\nc,4\n", "utf-8")
    (path / "a.ctl").write_text("a 6\nb 1\nd 7\n", "utf-8")
    (path / "a.geo").write_text('"a" 0 0\nb 1 0\nc 2 0\nd 9 0\n', "utf-8")
    (path / "a.prm").write_text("[Input]\n;comment\n" + "\n".join(f"{k}={v}" for k, v in asked.items()), "utf-8")
    return path / "a.prm"


def test_an_analysis_is_read_with_what_satscan_takes_for_absent_parameters(tmp_path: Path) -> None:
    analysis = read_analysis(tiny(tmp_path))
    assert analysis.names == ["a", "b", "c", "d"]
    assert analysis.case.controls[:, 0].tolist() == [6, 1, 0, 7]
    assert (analysis.question.max_share, analysis.question.replications) == (0.5, 999)
    cluster = scan(analysis.case, analysis.question).clusters[0]
    assert cluster.places.tolist() in ([1, 2], [2, 1])


@pytest.mark.parametrize(
    "changed",
    [
        {"IsotonicScan": "1"}, {"TimeTrendAdjustmentType": "2"}, {"NoSuchParameter": "7"}, {"ModelType": "5"},
        {"CaseFile2": "b.cas"}, {"CriteriaForReportingSecondaryClusters": "3"}, {"UseGridFile": "y"},
        {"AdjustForEarlierAnalyses": "y"}, {"AnalysisType": "7"}, {"ControlFile": ""},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_a_parameter_that_might_change_the_answer_and_is_not_understood_is_refused(tmp_path: Path, changed) -> None:
    with pytest.raises(UnknownAnalysisError):
        read_analysis(tiny(tmp_path, **changed))


def test_a_record_outside_is_refused_unless_such_are_to_be_passed_over(tmp_path: Path) -> None:
    path = tiny(tmp_path)
    (tmp_path / "a.cas").write_text("b 5\nc 4\nelsewhere 3\n", "utf-8")
    with pytest.raises(UnknownAnalysisError, match="elsewhere"):
        read_analysis(path)
    path.write_text(path.read_text("utf-8") + "\nGeographicalCoordinatesCheckType=1\n", "utf-8")
    assert read_analysis(path).case.count.sum() == 9
