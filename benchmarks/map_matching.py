"""Judge map matching on simulated walks along real streets: what was found again, what was made up, and the time.

python -m benchmarks.map_matching [--city nanjing futian FILE ...] [--mode walk ebike] [--seed N] [--tracks N] [--peer]

Each row is one city, mode, spacing of points in time and noise: passages (every passage of every metre counts) and
streets (each metre once a track) found, in percent of what was walked, and CPU seconds for a million points on one
thread. Noise and datum are told from the tracks, as for real ones; rows "gcj02" hold points a Chinese phone gives.
"""

import os

for _threads in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # read when the libraries load, so before any of them is imported

import argparse  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import geopandas as gpd  # noqa: E402
import numpy as np  # noqa: E402
import shapely  # noqa: E402

from benchmarks import matching_peer  # noqa: E402
from benchmarks.measure import machine  # noqa: E402
from benchmarks.nanjing_siting import CORE_DISTRICTS  # noqa: E402
from benchmarks.walks import compare, once, points_of, walks  # noqa: E402
from gis.datum import gcj02_from_wgs84, to_wgs84  # noqa: E402
from gis.network import StreetNetwork  # noqa: E402
from gis.network_build import read_network  # noqa: E402
from planner.patrol.tracks.datum_fit import fitted_datum  # noqa: E402
from planner.patrol.tracks.matching import Matched, MatchGround, match, match_ground  # noqa: E402
from planner.patrol.tracks.noise import measured  # noqa: E402
from planner.patrol.tracks.points import Tracks  # noqa: E402

SHARED = Path(__file__).parents[2] / "shared" / "data"
CITIES = {
    "nanjing": SHARED / "nanjing" / "nanjing_streets.gpkg",
    "futian": SHARED / "shenzhen_futian" / "futian_osmnx_all.graphml.gz",
}
#: Seconds between points (least, most), noise in metres, whether the phone writes GCJ-02.
SETTINGS = (
    ((5, 5), 10.0, False), ((10, 10), 10.0, False), ((15, 15), 10.0, False), ((30, 30), 10.0, False),
    ((5, 30), 10.0, False), ((5, 30), 10.0, True), ((5, 30), 5.0, False), ((5, 30), 20.0, False),
)  # fmt: skip
KMH = {"walk": 4.5, "ebike": 15.0}
#: Metres of each track: a shift of two hours on foot, of one by e-bike.
METRES = {"walk": 9_000.0, "ebike": 15_000.0}
ROW = "{:<9} {:<6} {:>6} {:>6} {:<6} {:<8} {:>6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}"


def main() -> None:
    """Print a row for every setting asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--city", nargs="*", default=["nanjing", "futian"], help="nanjing (its core), futian, or a file"
    )
    parser.add_argument("--mode", nargs="*", default=["walk", "ebike"], choices=sorted(KMH))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tracks", type=int, default=40, help="how many tracks (a peer needs minutes for a few)")
    parser.add_argument("--peer", action="store_true", help="also leuvenmapmatching, where it is installed (slow)")
    asked = parser.parse_args()
    print(f"{machine()}; CPU seconds on one thread\n")
    print(ROW.format("city", "mode", "every", "noise", "datum", "who", "km", "points", "right %", "false %", "streets",
                     "false", "s per 1M"))  # fmt: skip
    for name in asked.city:
        network, _ = read_network(CITIES.get(name, Path(name)))
        within = _core(network) if name == "nanjing" else None
        for mode in asked.mode:
            _rows(Path(name).name[:9], network, mode, within, asked.seed, asked.tracks, peer=asked.peer)


def _core(network: StreetNetwork) -> np.ndarray:
    """Mark the nodes in Nanjing's four core districts."""
    districts = gpd.read_file(SHARED / "nanjing" / "nanjing_admin.gpkg", layer="district")
    core = shapely.union_all(districts[districts["name"].isin(CORE_DISTRICTS)].geometry.to_numpy())
    return np.asarray(shapely.contains_xy(core, network.lon, network.lat))


def _rows(
    city: str, network: StreetNetwork, mode: str, within: np.ndarray | None, seed: int, count: int, *, peer: bool
) -> None:
    ground = match_ground(network, mode)
    rng = np.random.default_rng(seed)
    walked = walks(network, mode, count=count, metres=METRES[mode], kmh=KMH[mode], rng=rng, within=within)
    truth = (walked.track, walked.segment, walked.from_m, walked.to_m)
    first = True
    for every_s, noise_m, gcj02 in SETTINGS:
        shift = gcj02_from_wgs84 if gcj02 else None
        tracks = points_of(network, walked, every_s=every_s, noise_m=noise_m, rng=rng, shift=shift)
        whos = {"Lamplight": _matched}
        if peer and matching_peer.AVAILABLE and noise_m == 10.0 and not gcj02:
            whos["leuven"] = matching_peer.matched
        for who, find in whos.items():
            if first:
                find(ground, tracks.kept(tracks.of_point == 0))  # compilers warm up
                first = False
            start = time.process_time()
            found = find(ground, tracks)
            took_s = time.process_time() - start
            pieces = (found.track, found.segment, found.from_m, found.to_m)
            walked_m, right_m, false_m = compare(truth, pieces)
            street_m, seen_m, wrong_m = compare(once(truth), once(pieces))
            spacing = f"{every_s[0]}-{every_s[1]}" if every_s[0] != every_s[1] else str(every_s[0])
            shares = (
                100 * right_m / walked_m,
                100 * false_m / walked_m,
                100 * seen_m / street_m,
                100 * wrong_m / street_m,
            )
            print(ROW.format(city, mode, spacing, f"{noise_m:g}", "gcj02" if gcj02 else "wgs84", who,
                             f"{walked_m / 1000:.0f}", len(tracks.lon), *(f"{s:.2f}" for s in shares),
                             f"{1e6 * took_s / len(tracks.lon):.1f}"), flush=True)  # fmt: skip


def _matched(ground: MatchGround, tracks: Tracks) -> Matched:
    """Match tracks of which nothing is known: datum and noise are told first."""
    datum = fitted_datum(ground, tracks, np.arange(len(tracks)))
    lon, lat = tracks.lon.copy(), tracks.lat.copy()
    for name in set(datum):
        points = (datum == name)[tracks.of_point]
        lon[points], lat[points] = to_wgs84(lon[points], lat[points], name)
    known = Tracks(tracks.name, tracks.person, tracks.indptr, lon, lat, tracks.time_s)
    told = measured(ground, known)
    return match(ground, known, noise_m=told.noise_m, pace=told.pace)


if __name__ == "__main__":
    main()
