"""Where positions on the streets lie in the plane."""

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.crs import to_metric
from gis.network import StreetNetwork

Floats = NDArray[np.float64]


def points_on(
    network: StreetNetwork, segment: NDArray[np.int32] | NDArray[np.int64], offset_m: Floats
) -> tuple[Floats, Floats]:
    """Return the metric coordinates (x, y), each (k,), of positions on the network's drawn lines.

    segment : (k,) positions of segments. offset_m : (k,) metres from u, in [0, length_m]; a segment whose recorded
    length differs from its drawn one is stretched evenly.
    """
    chosen, of = np.unique(segment, return_inverse=True)
    if not len(chosen):
        return np.empty(0), np.empty(0)

    vertices, line = shapely.get_coordinates(network.geometry[chosen], return_index=True)
    x, y = to_metric(vertices[:, 0], vertices[:, 1], network.crs)
    drawn = np.where(np.diff(line, prepend=-1) == 0, np.hypot(np.diff(x, prepend=0.0), np.diff(y, prepend=0.0)), 0.0)
    along = np.cumsum(drawn)
    first = np.searchsorted(line, np.arange(len(chosen)))
    last = np.searchsorted(line, np.arange(len(chosen)), "right") - 1
    length_m = network.length_m[chosen][of]
    share = np.divide(offset_m, length_m, out=np.zeros(len(of)), where=length_m > 0)
    at = along[first][of] + (along[last] - along[first])[of] * share
    px, py = np.interp(at, along, x), np.interp(at, along, y)
    # at the seam between two lines the running length stands still: an end there is its own line's
    for where, vertex in ((share <= 0.0, first), (share >= 1.0, last)):
        px, py = np.where(where, x[vertex][of], px), np.where(where, y[vertex][of], py)
    return px, py
