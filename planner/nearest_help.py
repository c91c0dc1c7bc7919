"""Who and what is nearest to each place where somebody needs help: the crews on foot, and the points that can help."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gis.network import StreetNetwork
from planner.nearby import Nearby, Reached, nearby_of

Places = Sequence[tuple[float, float]]
#: What somebody needs -> the functions of a point any of which answers it. Nobody brings a sick person to a service
#: point: what is nearest then is where to wait for the ambulance and where the referral is made.
FUNCTIONS_FOR: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "food_clothes": frozenset({"temporary_service"}),
        "night_shelter": frozenset({"temporary_service"}),
        "medical": frozenset({"guidance", "temporary_service"}),
        "lost": frozenset({"reception", "guidance"}),
        "child_alone": frozenset({"reception", "guidance"}),
        "other": frozenset({"reception"}),
    }
)


def nearest_crews(network: StreetNetwork, crews: Places, places: Places, count: int) -> list[list[Reached]]:
    """Return for each place the ``count`` crews soonest there on foot, as (position among ``crews``, seconds).

    crews, places : (lon, lat), WGS84 degrees. Raises NetworkError on coordinates missing or out of range.
    """
    if not len(crews) or not len(places):
        return [[] for _ in places]
    lon, lat = np.array(crews, np.float64).T
    walks = nearby_of(network, lon, lat, k=count)
    return [walks.nearest(*place, None, count) for place in places]


def able(functions: Sequence[Collection[str]], needs: Collection[str]) -> NDArray[np.bool_]:
    """Return (n,) which points have a function for every one of ``needs``; any need where none has all.

    functions : of each point.
    """
    answers = np.array([[bool(FUNCTIONS_FOR[need] & set(own)) for need in needs] for own in functions], bool)
    if not answers.size:
        return np.zeros(len(functions), bool)
    every: NDArray[np.bool_] = np.asarray(answers.all(axis=1))
    return every if every.any() else np.asarray(answers.any(axis=1))


def nearest_points(
    walks: Nearby | None, functions: Sequence[Collection[str]], usable: NDArray[np.bool_], places: Places,
    needs: Sequence[Collection[str]],
) -> list[Reached | None]:  # fmt: skip
    """Return for each place the usable point soonest on foot that answers what is needed there; None without one.

    usable : (n,) the points that may be sent to, such as those open now.
    """
    if walks is None or not len(functions):
        return [None] * len(places)
    kept: dict[tuple[str, ...], NDArray[np.bool_]] = {}
    found = []
    for place, wanted in zip(places, needs, strict=True):
        key = tuple(wanted)
        if key not in kept:
            kept[key] = np.asarray(able(functions, key) & usable)
        found.append(next(iter(walks.nearest(*place, kept[key], 1)), None))
    return found
