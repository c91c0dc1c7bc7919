"""Tracks drawn by hand over model networks."""

import numpy as np

from gis.crs import to_lonlat
from planner.patrol.tracks.points import Tracks
from tests.gis.model_networks import CENTRE, CRS


def tracks_at(*runs) -> Tracks:
    """Make tracks of runs of (metres east, metres north, seconds) from the centre of model networks."""
    points = np.array([point for run in runs for point in run], float).reshape(-1, 3)
    lon, lat = to_lonlat(points[:, 0] + CENTRE[0], points[:, 1] + CENTRE[1], CRS)
    names = np.array([f"track {i}" for i in range(len(runs))], object)
    indptr = np.r_[0, np.cumsum([len(run) for run in runs])].astype(np.int64)
    return Tracks(names, names, indptr, lon, lat, points[:, 2])


def line(xy, seconds, step_s=10.0, start_s=0.0):
    """Walk straight along vertices ``xy`` in ``seconds`` from ``start_s`` on, a point every ``step_s``."""
    xy = np.asarray(xy, float)
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]
    t = np.arange(0.0, seconds + 1e-9, step_s)
    at = t / seconds * along[-1]
    return np.column_stack([np.interp(at, along, xy[:, 0]), np.interp(at, along, xy[:, 1]), start_s + t])
