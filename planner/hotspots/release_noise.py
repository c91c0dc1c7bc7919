"""Exact two-sided geometric noise from whole random numbers: no floating point stands between a person and the proof.

Adding noise with P(z) proportional to exp(-|z| epsilon / sensitivity) to every count of a table that one person
changes by at most ``sensitivity`` in all is epsilon-differentially private (Dwork, McSherry, Nissim & Smith 2006,
doi:10.1007/11681878_14; on integers Ghosh, Roughgarden & Sundararajan 2012, doi:10.1137/09076828X, who prove it the
best noise for a count). Noise made from floating-point logarithms loses that property (Mironov 2012,
doi:10.1145/2382196.2382264), so it is drawn by the rational sampler of Canonne, Kamath & Steinke 2020
(doi:10.48550/arXiv.2004.00010, algorithms 1 and 2, proof in section 5), whose proof has also been checked by machine
(de Medeiros et al. 2025, doi:10.1145/3729294).
"""

import math
from collections.abc import Callable
from fractions import Fraction
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gis.errors import QuestionError

Counts = NDArray[np.int64]
#: ``randbelow(n)`` is uniform on the whole numbers 0 .. n - 1; for the public it must be ``secrets.randbelow``.
RandBelow = Callable[[int], int]


def noisy(counts: Counts, scale: Fraction, randbelow: RandBelow) -> Counts:
    """Return (n,) counts, each with noise of its own; noise goes to the empty cells, too, and may end below zero.

    scale : sensitivity / epsilon, > 0. Raises QuestionError on a scale that is not above zero.
    """
    if scale <= 0:
        raise QuestionError(f"噪声尺度须大于 0，收到 {scale}", f"the noise needs a scale above 0, not {scale}")
    drawn = [discrete_laplace(scale, randbelow) for _ in range(len(counts))]
    return np.asarray(counts, np.int64) + np.array(drawn, np.int64)


def discrete_laplace(scale: Fraction, randbelow: RandBelow) -> int:
    """Draw z with P(z) proportional to exp(-|z| / scale), exactly (Canonne, Kamath & Steinke 2020, algorithm 2)."""
    t, s = scale.numerator, scale.denominator
    while True:
        u = randbelow(t)
        if not bernoulli_exp(u, t, randbelow):
            continue
        v = 0
        while bernoulli_exp(1, 1, randbelow):
            v += 1
        size, negative = (u + t * v) // s, randbelow(2) == 1
        if negative and size == 0:
            continue  # or zero would be drawn by two ways
        return -size if negative else size


def bernoulli_exp(numerator: int, denominator: int, randbelow: RandBelow) -> bool:
    """Draw true with chance exp(-numerator / denominator), exactly, for a share from 0 to 1 (algorithm 1)."""
    k = 1
    while randbelow(denominator * k) < numerator:
        k += 1
    return k % 2 == 1


def noise_sd(scale: Fraction) -> float:
    """Return the standard deviation of the noise on one count."""
    a = math.exp(-1 / scale)
    return math.sqrt(2 * a) / (1 - a)


def noise_beyond(chance: float, scale: Fraction, parts: NDArray[np.int64]) -> Counts:
    """Return (n,) the least m with P(noise of a sum of ``parts`` counts >= m) <= ``chance`` (0 < chance < 1/2).

    Exact for one count; for more the normal limit, and never less than for one.
    """
    a = math.exp(-1 / scale)
    one = max(math.ceil(math.log(chance * (1 + a)) / math.log(a)), 1)
    many = np.ceil(-NormalDist().inv_cdf(chance) * noise_sd(scale) * np.sqrt(parts)).astype(np.int64)
    return np.where(parts == 1, one, np.maximum(many, one)).astype(np.int64)


def noise_chance(at_least: Counts, scale: Fraction, parts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (n,) the chance that the noise of a sum of ``parts`` counts reaches ``at_least``, or more than that.

    Exact for one count; for more Chernoff's bound (1952, doi:10.1214/aoms/1177729330), which is never too small.
    """
    a, m = math.exp(-1 / scale), np.asarray(at_least, np.float64)
    one = np.where(m >= 1, a ** np.maximum(m, 0) / (1 + a), 1 - a ** np.maximum(1 - m, 0) / (1 + a))
    tilt = np.linspace(0.0, -math.log(a), 66)[:-1]  # any tilt gives a bound; the best of these is near the best of all
    log_moment = 2 * math.log1p(-a) - np.log1p(-a * np.exp(tilt)) - np.log1p(-a * np.exp(-tilt))
    bound = np.exp(np.minimum(parts[:, None] * log_moment - m[:, None] * tilt, 0.0)).min(axis=1)
    return np.where(parts == 1, one, bound)
