"""Cases expected from a population: interpolated between censuses, standardised over strata."""

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError


def person_days(
    place: NDArray[np.int64],
    stratum: NDArray[np.int64],
    day: NDArray[np.float64],
    people: NDArray[np.float64],
    *,
    n_places: int,
    n_strata: int,
    begins: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (strata, places, units) days lived by the population in each unit of time.

    place, stratum, day, people : (m,) a count of people at a date (days since 1970; a year's stands at 1 July), rows of
    the same place, stratum and day added. begins : (units + 1,) days on which units begin, and the end.
    Between counts the population changes linearly, before the first and after the last it stays; a day counts as it
    stands at noon. A stratum that a place lacks at a date where it has others is empty there.
    A place without any count has nobody. Raises QuestionError on a count below zero or unknown.
    """
    if not (people >= 0).all() or not np.isfinite(people).all():
        raise QuestionError("人口须为非负数", "populations must be numbers, not negative")
    lived = np.zeros((n_strata, n_places, len(begins) - 1))
    order = np.argsort(place, kind="stable")
    bounds = np.searchsorted(place[order], np.arange(n_places + 1))
    weights: dict[bytes, NDArray[np.float64]] = {}
    for j in range(n_places):
        rows = order[bounds[j] : bounds[j + 1]]
        if not len(rows):
            continue
        dates, at = np.unique(day[rows], return_inverse=True)
        counted = np.zeros((n_strata, len(dates)))
        np.add.at(counted, (stratum[rows], at), people[rows])
        key = dates.tobytes()
        if key not in weights:
            weights[key] = _days_of(dates, begins)
        lived[:, j] = counted @ weights[key]
    return lived


def standardised(lived: NDArray[np.float64], cases_by_stratum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (places, units) cases expected if every stratum had one rate everywhere, as many in all as observed.

    lived : (strata, places, units). cases_by_stratum : (strata,). Indirect standardisation: expected = sum over strata
    of (cases / person-days of the stratum) x person-days here. Raises QuestionError where a stratum has cases but
    nobody in it.
    """
    everyone = lived.sum(axis=(1, 2))
    if (cases_by_stratum[everyone <= 0] > 0).any():
        raise QuestionError("有病例的分层没有人口", "a stratum has cases but no population")
    rate = np.where(everyone > 0, cases_by_stratum / np.where(everyone > 0, everyone, 1.0), 0.0)
    return np.asarray(np.einsum("s,sjt->jt", rate, lived))


def _days_of(dates: NDArray[np.float64], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (dates, units): how many days of each unit a count at each date stands for."""
    noon = np.arange(begins[0], begins[-1]) + 0.5
    hats = np.stack([np.interp(noon, dates, row) for row in np.eye(len(dates))])
    return np.asarray(np.add.reduceat(hats, begins[:-1] - begins[0], axis=1))
