"""Run a SaTScan analysis, or what SaTScan and SpatialEpi published, beside their figures.

python -m benchmarks.scan [FILE.prm ...] [--replications N] [--seed N] [--all]
python -m benchmarks.scan [--instances FOLDER]

With files: every analysis as its parameter file asks; its clusters, and CPU seconds. A report of SaTScan's beside it
(FILE_99999.txt or FILE.txt) is compared cluster by cluster. A parameter that is not understood is refused.
Without: New Mexico and New York at 99,999 replications, Pennsylvania's lung cancer, and two seeded space-time
permutation cases (radius 2 km in a square of 10 km, up to 30 days). CPU seconds on one thread, after a call to compile.
Ends with status 1 where a cluster, ratio or p-value is another than published, or a mark is missed.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import re  # noqa: E402
import time  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from benchmarks.measure import machine  # noqa: E402
from benchmarks.satscan_files import Analysis, UnknownAnalysisError, read_analysis  # noqa: E402
from benchmarks.scan_expected import standardised  # noqa: E402
from gis.errors import LamplightError  # noqa: E402
from planner.hotspots.scan import Cluster, ScanResult, scan  # noqa: E402
from planner.hotspots.scan_question import ScanCase, ScanQuestion  # noqa: E402

INSTANCES = Path(__file__).parents[2] / "shared" / "instances" / "hotspots"
#: SaTScan 10.3.2's CPU seconds on one thread of the machine the marks were set on, and our marks.
PUBLISHED = (("NewMexicoSpaceTimePoisson.prm", 18.3, 4.0), ("NYCSpaceTimePermutation.prm", np.nan, np.nan))
SEEDED = ((1_000, 365, 5_000, "prospective", 10.1, 2.0), (500, 365, 2_000, "retrospective", 454.0, 45.0))


@dataclass(frozen=True)
class Reported:
    """A cluster of a SaTScan report, numbers as written."""

    places: frozenset[str]
    cases: int
    expected: str
    ratio: str
    p: float
    replications: int


def main() -> int:
    """Run what is asked for; return 1 where something differs from what is published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--replications", type=int, help="instead of those the file asks for")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="clusters with p = 1 too, which SaTScan leaves out")
    parser.add_argument("--instances", type=Path, default=INSTANCES, metavar="FOLDER")
    asked = parser.parse_args()
    print(machine())
    if asked.files:
        return max(_file(path, asked.replications, asked.seed, asked.all) for path in asked.files)
    wrong = 0
    for name, peer_s, mark_s in PUBLISHED:
        path = asked.instances / "satscan" / name
        if path.is_file():
            wrong += _file(path, 99_999, asked.seed, False, peer_s, mark_s)
        else:
            print(f"{name}: not there, left out")
    if (asked.instances / "spatialepi").is_dir():
        wrong += _pennsylvania(asked.instances / "spatialepi")
    return int(wrong + sum(_seeded(*case) for case in SEEDED) > 0)


def _file(
    path: Path, replications: int | None, seed: int, every: bool, peer_s: float = np.nan, mark_s: float = np.nan
) -> int:
    print(f"\n{path.name}")
    try:
        analysis = read_analysis(path, replications)
        analysis = replace(analysis, question=replace(analysis.question, seed=seed))
        result, cpu_s = _timed(analysis)
    except (UnknownAnalysisError, LamplightError, OSError) as error:
        print(f"  refused: {error}")
        return 1
    _print(result, analysis, every)
    status = _against(cpu_s, peer_s, mark_s, "SaTScan")
    reports = [path.with_name(f"{path.stem}{end}.txt") for end in ("_99999", "")]
    report = next((r for r in reports if r.is_file()), None)
    return status if report is None else max(status, _compared(result, analysis, report))


def _timed(analysis: Analysis) -> tuple[ScanResult, float]:
    scan(analysis.case, replace(analysis.question, replications=1), windows=analysis.windows)  # compiles
    begin_s = time.process_time()
    result = scan(analysis.case, analysis.question, windows=analysis.windows)
    return result, time.process_time() - begin_s


def _print(result: ScanResult, analysis: Analysis, every: bool) -> None:
    print(f"  {result.total_cases} cases, {len(analysis.names)} places, {len(result.maxima)} replications")
    for i, cluster in enumerate(result.clusters, 1):
        if cluster.p_value >= 1.0 and not every:
            continue
        days = [np.datetime64(int(analysis.begins[k]), "D") for k in (cluster.first_unit, cluster.last_unit + 1)]
        print(f"  {i}. {', '.join(analysis.names[k] for k in cluster.places)}")
        print(
            f"     radius {cluster.radius:.2f}"
            + (f", shape {cluster.shape:g}, angle {np.degrees(cluster.angle):.1f}" if cluster.shape > 1 else "")
            + f"; {days[0]} to {days[1] - 1}; {cluster.observed} / {cluster.expected:.2f}, relative risk "
            f"{cluster.relative_risk:.2f}; ratio {cluster.llr:.6f}; p {cluster.p_value:.6g}, "
            f"Gumbel {cluster.gumbel_p:.3g}"
            + (f"; once in {cluster.recurrence_days:.0f} days" if cluster.recurrence_days > 0 else "")
        )


def _against(cpu_s: float, peer_s: float, mark_s: float, peer: str) -> int:
    """Print seconds, ratio and verdict; return 1 where the mark is missed."""
    line = f"  {cpu_s:.2f} CPU s"
    if np.isfinite(peer_s):
        line += f"; {peer} {peer_s:g} s, {peer_s / cpu_s:.1f} times ours"
    if np.isfinite(mark_s):
        line += f"; mark {mark_s:g} s: {'met' if cpu_s <= mark_s else 'MISSED'}"
    print(line, flush=True)
    return int(cpu_s > mark_s)


def _compared(result: ScanResult, analysis: Analysis, report: Path) -> int:
    """Compare with a report: places, cases, expected, ratio to its six digits, p within two standard errors."""
    ours = result.clusters
    wrong = 0
    theirs = read_report(report)
    for i, other in enumerate(theirs):
        mine = ours[i] if i < len(ours) else None
        if mine is None or (frozenset(analysis.names[k] for k in mine.places), mine.observed) != (
            other.places, other.cases,
        ):  # fmt: skip
            print(f"  {report.name} {i + 1}: ANOTHER CLUSTER ({', '.join(sorted(other.places))})")
            wrong = 1
            continue
        digits = len(other.ratio.partition(".")[2])
        same = abs(mine.llr - float(other.ratio)) <= 0.500001 * 10.0**-digits
        off = _standard_errors(mine, other, len(result.maxima))
        wrong |= not same or off > 2.0
        print(
            f"  {report.name} {i + 1}: same places and cases; ratio {mine.llr:.{digits}f} / {other.ratio}"
            f"{'' if same else ' DIFFERS'}; p {mine.p_value:.5f} / {other.p:.5f}, {off:.1f} standard errors apart"
        )
    return int(wrong)


def _standard_errors(mine: Cluster, other: Reported, replications: int) -> float:
    p = (mine.p_value * replications + other.p * other.replications) / (replications + other.replications)
    spread = np.sqrt(p * (1.0 - p) * (1.0 / max(replications, 1) + 1.0 / other.replications))
    return float(abs(mine.p_value - other.p) / spread) if spread > 0 else 0.0


def read_report(path: Path) -> list[Reported]:
    """Return the clusters of a SaTScan report."""
    text = path.read_text("utf-8", errors="replace")
    made = re.search(r"Number of Replications\s*: (\d+)", text)
    block = text.partition("CLUSTERS DETECTED")[2].partition("PARAMETER SETTINGS")[0]
    clusters = []
    for part in re.split(r"\n\d+\.(?=Location)", block)[1:]:
        fields = dict(re.findall(r"^\s*([\w /-]+?)\.*: (.*)$", re.sub(r"\n {20,}", " ", part), re.M))
        ratio = fields.get("Log likelihood ratio") or fields["Test statistic"]
        clusters.append(
            Reported(
                frozenset(fields["Location IDs included"].split(", ")), int(fields["Number of cases"]),
                fields["Expected cases"], ratio.strip(), float(fields.get("P-value", "nan").replace("<", "")),
                int(made[1]) if made else 999,
            )
        )  # fmt: skip
    return clusters


def _pennsylvania(folder: Path) -> int:
    """Compare with R SpatialEpi's ratios for Pennsylvania's lung cancer."""
    data, geo = pd.read_csv(folder / "pennLC_data.csv"), pd.read_csv(folder / "pennLC_geo.csv")
    n, by = len(geo), data.groupby("county")[["cases", "population"]].sum().loc[geo["county"]]
    strata = data.groupby(["race", "gender", "age"])
    lived = np.stack([of.set_index("county").loc[geo["county"], "population"].to_numpy() for _, of in strata])
    case = ScanCase(
        geo["x"].to_numpy(), geo["y"].to_numpy(), np.arange(n), np.zeros(n, np.int64), by["cases"].to_numpy(), 1,
        standardised(lived[:, :, None].astype(float), strata["cases"].sum().to_numpy(float)),
        (by["population"] - by["cases"]).to_numpy()[:, None], geographic=True,
    )  # fmt: skip
    wrong = 0
    print("\nPennsylvania lung cancer")
    for model, ratios in (("bernoulli", (36.57051061, 9.657778626)), ("poisson", (17.66288313, 7.098944233))):
        clusters = scan(case, ScanQuestion(model, "spatial")).clusters
        for cluster, published in zip(clusters, ratios, strict=False):
            same = abs(cluster.llr / published - 1.0) < 1e-8
            wrong |= not same
            print(
                f"  {model}: {', '.join(geo['county'].iloc[cluster.places])}; {cluster.observed} / "
                f"{cluster.expected:.5f}; ratio {cluster.llr:.9g} / {published:.10g}{'' if same else ' DIFFERS'}"
            )
    return int(wrong)


def _seeded(places: int, days: int, cases: int, analysis: str, peer_s: float, mark_s: float) -> int:
    """Time 999 replications of a space-time permutation scan of cases strewn at random."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0.0, 10.0, (2, places))
    case = ScanCase(
        x, y, rng.integers(0, places, cases), rng.integers(0, days, cases), np.ones(cases, np.int64), days
    )  # fmt: skip
    question = ScanQuestion("permutation", analysis, max_radius=2.0, max_time_units=30)
    print(f"\n{analysis} permutation, {places} places x {days} days x {cases} cases, 999 replications")
    result, cpu_s = _timed(Analysis(case, question, None, [], np.zeros(0, np.int64)))
    print(f"  ratio {result.clusters[0].llr:.6f}, p {result.clusters[0].p_value:.3f}")
    return _against(cpu_s, peer_s, mark_s, "SaTScan on such a case")


if __name__ == "__main__":
    raise SystemExit(main())
