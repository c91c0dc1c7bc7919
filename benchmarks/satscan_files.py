"""Read a SaTScan analysis: its parameter file and the files it names, as a case and a question.

Every parameter is known here, as one that is used, one that only concerns what is written out, or one of which a single
value is understood. Anything else is refused: a parameter passed over might change the answer.
"""

import csv
import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scan_expected import person_days, standardised
from benchmarks.scan_times import longest_window, time_units
from planner.hotspots.scan_question import ScanCase, ScanQuestion
from planner.hotspots.scan_windows import EARTH_KM, Windows, balls, ellipses

EPOCH = dt.date(1970, 1, 1).toordinal()
#: What SaTScan takes where a parameter is absent.
DEFAULTS = {
    "ControlFile": "", "PopulationFile": "", "CoordinatesFile": "", "PrecisionCaseTimes": "1", "CoordinatesType": "1",
    "AnalysisType": "1", "ModelType": "0", "ScanAreas": "1", "TimeAggregationUnits": "1", "TimeAggregationLength": "1",
    "MaxSpatialSizeInPopulationAtRisk": "50", "MaxTemporalSizeInterpretation": "0", "MaxTemporalSize": "50",
    "MinimumTemporalClusterSize": "1", "SpatialWindowShapeType": "0", "NonCompactnessPenalty": "1",
    "MinimumCasesInHighRateClusters": "2", "PValueReportType": "0", "EarlyTerminationThreshold": "50",
    "MonteCarloReps": "999", "EllipseShapes": "1.5,2,3,4,5", "EllipseAngles": "4,6,9,12,15", "IncludeClusters": "0",
    "ProspectiveFrequencyType": "0", "StudyPeriodCheckType": "0", "GeographicalCoordinatesCheckType": "0",
}  # fmt: skip
UNITS = {"1": "year", "2": "month", "3": "day", "4": "day"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


USED = _words("""
CaseFile ControlFile PrecisionCaseTimes StartDate EndDate PopulationFile CoordinatesFile CoordinatesType AnalysisType
ModelType ScanAreas TimeAggregationUnits TimeAggregationLength MaxSpatialSizeInPopulationAtRisk
UseDistanceFromCenterOption MaxSpatialSizeInDistanceFromCenter IncludePurelyTemporal SpatialWindowShapeType
NonCompactnessPenalty MinimumTemporalClusterSize MaxTemporalSizeInterpretation MaxTemporalSize IncludePurelySpatial
MinimumCasesInHighRateClusters PValueReportType EarlyTerminationThreshold MonteCarloReps EllipseShapes EllipseAngles
ProspectiveFrequencyType ProspectiveFrequency IncludeClusters UseNeighborsFile NeighborsFilename
StudyPeriodCheckType GeographicalCoordinatesCheckType
""")
#: Parameters of which we do but one thing.
ONLY = {
    "UseGridFile": "n", "UseLocationsNetworkFile": "n", "UseMetaLocationsFile": "n", "MultipleCoordinatesType": "0",
    "UseMaxCirclePopulationFileOption": "n", "IsotonicScan": "0", "RiskLimitHighClusters": "n",
    "RiskLimitLowClusters": "n", "MinimumCasesInLowRateClusters": "0", "TimeTrendAdjustmentType": "0",
    "AdjustForWeeklyTrends": "n", "SpatialAdjustmentType": "0", "UseAdjustmentsByRRFile": "n",
    "AdjustForEarlierAnalyses": "n", "IterativeScan": "n", "PerformPowerEvaluation": "n",
    "CriteriaForReportingSecondaryClusters": "0", "UseReportOnlySmallerClusters": "n",
    "UseMaxCirclePopulationFileOption_Reported": "n", "UseDistanceFromCenterOption_Reported": "n",
    "ReportHierarchicalClusters": "y", "SimulatedDataMethodType": "0",
}  # fmt: skip
#: Parameters that a switch above turns off, that only concern what is written out, or how it is run.
IDLE = _words("""
GridFile LocationsNetworkFilename MetaLocationsFilename MultipleLocationsFile
MaxSpatialSizeInMaxCirclePopulationFile MaxCirclePopulationFile IntervalStartRange
IntervalEndRange RiskThresholdHighClusters RiskThresholdLowClusters TimeTrendPercentage TimeStratifiedAdjLength
TimeTrendType AdjustmentsByKnownRelativeRisksFilename ReportGumbel ProspectiveStartDate IterativeScanMaxIterations
IterativeScanMaxPValue PerformStandardDrilldown PerformBernoulliDrilldown DrilldownMinimumClusterLocations
DrilldownMinimumClusterCases DrilldownClusterCutoff CalculateOliveira NumBootstrapReplications OliveiraPvalueCutoff
PowerEvaluationsMethod PowerEvaluationTotalCases CriticalValueType CriticalValue05 CriticalValue01 CriticalValue001
PowerEstimationType NumberPowerReplications AlternativeHypothesisFilename PowerEvaluationsSimulationMethod
PowerEvaluationsSimulationSourceFilename ReportPowerEvaluationSimulationData PowerEvaluationsSimulationOutputFilename
ReportGiniClusters GiniIndexClusterReportingType SpatialMaxima GiniIndexClustersPValueCutOff
ReportGiniIndexCoefficents MaxSpatialSizeInPopulationAtRisk_Reported MaxSizeInMaxCirclePopulationFile_Reported
MaxSpatialSizeInDistanceFromCenter_Reported CriticalValue ReportClusterRank PrintAsciiColumnHeaders ResultsTitle
CutoffClusterLinelistCSV LineListIndividualCache SimulatedDataInputFilename PrintSimulatedDataToFile
SimulatedDataOutputFilename NumberParallelProcesses SuppressWarnings LogRunToHistoryFile ExecutionType Version
ResultsFile DataSet1-Name MultipleDataSetsPurposeType LaunchMapViewer CompressKMLtoKMZ IncludeClusterLocationsKML
ThresholdLocationsSeparateKML OutputTemporalGraphHTML TemporalGraphReportType TemporalGraphMostMLC
TemporalGraphSignificanceCutoff RandomizationSeed
""")
IDLE_SECTIONS = {"Output", "Notifications", "Line List", "Spatial Output", "Temporal Output", "Other Output", "System"}


class UnknownAnalysisError(ValueError):
    """A parameter or file we do not understand."""


@dataclass(frozen=True)
class Analysis:
    """A case and a question as SaTScan was asked, names of places in their order, days on which units begin."""

    case: ScanCase
    question: ScanQuestion
    windows: Windows | None
    names: list[str]
    begins: NDArray[np.int64]


def read_analysis(path: Path, replications: int | None = None) -> Analysis:
    """Read a parameter file and what it names, from its own folder. Raises UnknownAnalysisError, OSError."""
    asked = _parameters(path)
    model = {"0": "poisson", "1": "bernoulli", "2": "permutation"}.get(asked["ModelType"])
    analysis = {"1": "spatial", "2": "temporal", "3": "retrospective", "4": "prospective"}.get(asked["AnalysisType"])
    if model is None or analysis is None:
        raise UnknownAnalysisError(f"ModelType={asked['ModelType']}, AnalysisType={asked['AnalysisType']}")
    generic = asked["PrecisionCaseTimes"] == "4"
    first, last = _date(asked["StartDate"], False, generic), _date(asked["EndDate"], True, generic)
    begins = _units(asked, analysis, first, last)
    names, x, y = _places(path.parent, asked, analysis)
    number = {name: i for i, name in enumerate(names)}

    def cell(name: str, when: str | None) -> tuple[int, int] | None:
        """Return place and unit; None for one to be passed over, if so asked."""
        if name not in number:
            return _outside(asked, "GeographicalCoordinatesCheckType", f"no coordinates for {name}")
        if when is None:
            return number[name], 0
        day = _date(when, False, generic).toordinal() - EPOCH
        if not begins[0] <= day < begins[-1]:
            return _outside(asked, "StudyPeriodCheckType", f"{when} lies outside the study period")
        return number[name], int(np.searchsorted(begins, day, side="right")) - 1

    cases, strata = [], []
    timed = asked["PrecisionCaseTimes"] != "0"
    for row in _rows(_beside(path.parent, asked["CaseFile"])):
        when = row[2] if timed else None
        if (at := cell(row[0], when)) is not None:
            cases.append((*at, int(row[1])))
            strata.append(tuple(row[3 if timed else 2 :]))
    place, unit, count = np.array(cases, np.int64).T.copy()
    n_units = len(begins) - 1
    expected = controls = None
    if model == "poisson":
        expected = _expected(path.parent, asked, number, begins, strata, count)
    if model == "bernoulli":
        controls = np.zeros((len(names), n_units), np.int64)
        for row in _rows(_beside(path.parent, asked["ControlFile"])):
            if (at := cell(row[0], row[2] if timed else None)) is not None:
                controls[at] += int(row[1])
    days = float(begins[-1] - begins[-2])
    case = ScanCase(x, y, place, unit, count, n_units, expected, controls, asked["CoordinatesType"] == "1", days)
    question, windows = _question(path.parent, asked, model, analysis, first, last, replications, number, x, y)
    return Analysis(case, question, windows, names, begins)


def _question(folder, asked, model, analysis, first, last, replications, number, x, y):  # type: ignore[no-untyped-def]
    longest, shortest = None, 1
    if analysis != "spatial":
        length, most = int(asked["TimeAggregationLength"]), float(asked["MaxTemporalSize"])
        if asked["MaxTemporalSizeInterpretation"] == "0":
            longest = longest_window(first, last, UNITS[asked["TimeAggregationUnits"]], length, most / 100.0)
        else:
            longest = int(most) // length
        shortest = -(-int(asked.get("MinimumTemporalClusterSize", "1")) // length)
    if analysis == "retrospective" and asked.get("IncludeClusters", "0") == "1":
        raise UnknownAnalysisError("IncludeClusters=1 in a retrospective analysis")
    if asked.get("IncludeClusters", "0") == "2":
        raise UnknownAnalysisError("IncludeClusters=2")
    radius = np.inf
    if _yes(asked, "UseDistanceFromCenterOption"):
        radius = float(asked["MaxSpatialSizeInDistanceFromCenter"])
    stop = int(asked.get("EarlyTerminationThreshold", "50")) if asked.get("PValueReportType") == "2" else None
    elliptic = asked.get("SpatialWindowShapeType", "0") == "1"
    windows = None
    penalty = ("none", "medium", "strong")[int(asked.get("NonCompactnessPenalty", "0"))]
    if elliptic:
        if asked["CoordinatesType"] == "1":
            raise UnknownAnalysisError("ellipses need Cartesian coordinates")
        windows = ellipses(
            x, y, shapes=[float(s) for s in asked["EllipseShapes"].split(",")],
            angles=[int(a) for a in asked["EllipseAngles"].split(",")], penalty=penalty, max_radius=radius,
        )  # fmt: skip
    if _yes(asked, "UseNeighborsFile"):
        windows = _neighbours(_beside(folder, asked["NeighborsFilename"]), number)
    question = ScanQuestion(
        model, analysis, rates={"1": "high", "2": "low", "3": "both"}[asked.get("ScanAreas", "1")],
        shape="circle" if windows is None else "given", penalty=penalty,
        max_share=float(asked.get("MaxSpatialSizeInPopulationAtRisk", "50")) / 100.0, max_radius=radius,
        max_time_units=longest, min_time_units=shortest,
        with_spatial=_yes(asked, "IncludePurelySpatial") and analysis in ("retrospective", "prospective"),
        with_temporal=_yes(asked, "IncludePurelyTemporal") and analysis in ("retrospective", "prospective"),
        min_cases=int(asked.get("MinimumCasesInHighRateClusters", "2")),
        replications=int(asked["MonteCarloReps"]) if replications is None else replications, stop_after=stop,
    )  # fmt: skip
    if analysis == "prospective" and asked.get("ProspectiveFrequencyType", "0") != "0":
        raise UnknownAnalysisError("ProspectiveFrequencyType other than the time aggregation")
    return question, windows


def _parameters(path: Path) -> dict[str, str]:
    """Return the parameters, those not understood refused."""
    asked = dict(DEFAULTS)
    section, strange = "", []
    for line in path.read_text("utf-8-sig", errors="replace").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith(";") and "=" in line:
            name, value = (part.strip() for part in line.split("=", 1))
            asked[name] = value
            if name in ONLY and value.lower() != ONLY[name]:
                strange.append(f"{name}={value} (only {ONLY[name]} is understood)")
            elif name not in USED | IDLE | set(ONLY) and section not in IDLE_SECTIONS:
                strange.append(f"[{section}] {name}={value}")
    for name in ("CaseFile2", "PopulationFile2", "ControlFile2"):
        if asked.get(name):
            strange.append(f"{name}: several data sets")
    if strange:
        raise UnknownAnalysisError("parameters not understood: " + "; ".join(strange))
    return asked


def _units(asked: dict[str, str], analysis: str, first: dt.date, last: dt.date) -> NDArray[np.int64]:
    """Return the days on which units of time begin, and the end."""
    if analysis == "spatial" or asked["TimeAggregationUnits"] == "0":
        return np.array([first.toordinal(), last.toordinal() + 1], np.int64) - EPOCH
    return time_units(first, last, UNITS[asked["TimeAggregationUnits"]], int(asked["TimeAggregationLength"]))


def _places(folder: Path, asked: dict[str, str], analysis: str):  # type: ignore[no-untyped-def]
    """Return names in SaTScan's order (sorted), x and y (degrees of longitude and latitude if so given)."""
    if analysis == "temporal":
        files = [asked[kind] for kind in ("CaseFile", "ControlFile", "PopulationFile") if asked[kind]]
        names = sorted({row[0] for file in files for row in _rows(_beside(folder, file))})
        return names, np.zeros(len(names)), np.zeros(len(names))
    spots: dict[str, tuple[float, float]] = {}
    for row in _rows(_beside(folder, asked["CoordinatesFile"])):
        spot = float(row[1]), float(row[2])
        if spots.setdefault(row[0], spot) != spot or len(row) > 3:
            raise UnknownAnalysisError(f"several coordinates, or more than two of them: {row}")
    names = sorted(spots)
    one, two = np.array([spots[name] for name in names]).T.copy()
    return (names, two, one) if asked["CoordinatesType"] == "1" else (names, one, two)


def _expected(folder, asked, number, begins, strata, count):  # type: ignore[no-untyped-def]
    """Return (n, T) cases expected of the population, strata the covariates that cases and population share."""
    if not asked["PopulationFile"]:
        if asked["AnalysisType"] == "2":  # SaTScan then takes a population that does not change
            return np.tile(np.diff(begins) / len(number), (len(number), 1))
        raise UnknownAnalysisError("a Poisson analysis without a population")
    place, of, day, people = [], [], [], []
    known: dict[tuple[str, ...], int] = {}
    for row in _rows(_beside(folder, asked["PopulationFile"])):
        if row[0] not in number:
            _outside(asked, "GeographicalCoordinatesCheckType", f"no coordinates for {row[0]}")
            continue
        place.append(number[row[0]])
        day.append(int(row[1]) if asked["PrecisionCaseTimes"] == "4" else _population_day(row[1]))
        people.append(float(row[2]))
        of.append(known.setdefault(tuple(row[3:]), len(known)))
    lost = set(strata) - set(known)
    if lost:
        raise UnknownAnalysisError(f"cases of strata without population: {sorted(lost)[:3]}")
    cases = np.zeros(len(known))
    np.add.at(cases, [known[s] for s in strata], count)
    lived = person_days(
        np.array(place), np.array(of), np.array(day, float), np.array(people), n_places=len(number),
        n_strata=len(known), begins=begins,
    )  # fmt: skip
    return standardised(lived, cases)


def _neighbours(path: Path, number: dict[str, int]) -> Windows:
    """Return zones from a neighbours file: each line a place and its neighbours, nearest first."""
    lists: dict[int, list[int]] = {i: [i] for i in range(len(number))}
    for row in _rows(path):
        near = [number[name] for name in row]
        lists[near[0]] = list(dict.fromkeys(near))
    indptr = np.concatenate([[0], np.cumsum([len(lists[i]) for i in range(len(number))])])
    place = np.concatenate([lists[i] for i in range(len(number))]).astype(np.int32)
    rank = np.concatenate([np.arange(len(lists[i])) for i in range(len(number))]).astype(float)
    return balls(indptr, place, rank)


def _population_day(text: str) -> int:
    """Return the day a population stands at: a year's at 1 July, a month's at its 15th; 0, no date, at any."""
    if text in ("0", "unspecified"):
        return 0
    parts = [int(p) for p in re.split(r"[/-]", text)]
    year = parts[0] + (1900 if parts[0] >= 15 else 2000) if parts[0] < 100 else parts[0]
    month, day = (parts[1] if len(parts) > 1 else 7), 1
    if len(parts) == 2:
        day = 15
    if len(parts) == 3:
        day = parts[2]
    return dt.date(year, month, day).toordinal() - EPOCH


def _outside(asked: dict[str, str], check: str, what: str) -> None:
    """Refuse a record that lies outside, unless the parameter ``check`` says that such are passed over."""
    if asked[check] != "1":
        raise UnknownAnalysisError(what)


def _date(text: str, end: bool, generic: bool = False) -> dt.date:
    """Read y, y/m or y/m/d (what is missing is the first, or for ``end`` the last, of its kind), or a day's number."""
    if generic:
        return dt.date.fromordinal(EPOCH + int(text))
    parts = [int(p) for p in re.split(r"[/-]", text)]
    if len(parts) == 3:
        return dt.date(*parts)
    year, month = parts[0], parts[1] if len(parts) == 2 else (12 if end else 1)
    if not end:
        return dt.date(year, month, 1)
    return dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)


def _rows(path: Path) -> list[list[str]]:
    """Return the fields of every line that has any: separated by blanks, or by commas, quotes kept together."""
    text = path.read_text("utf-8-sig", errors="replace").splitlines()
    rows = []
    for line in text:
        blank = "," not in line
        fields = (
            next(csv.reader([re.sub(r"\s+", " ", line.strip())], delimiter=" " if blank else ","))
            if line.strip()
            else []
        )
        if fields:
            rows.append([field.strip() for field in fields])
    return rows


def _beside(folder: Path, name: str) -> Path:
    if not name:
        raise UnknownAnalysisError("a file that the model needs is not named")
    return folder / Path(name.replace("\\", "/")).name


def _yes(asked: dict[str, str], name: str) -> bool:
    return asked.get(name, "n").lower() in ("y", "1")


__all__ = ["EARTH_KM", "Analysis", "UnknownAnalysisError", "read_analysis"]
