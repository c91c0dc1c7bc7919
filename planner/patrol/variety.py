"""A plan drawn at random among many nearly as good, so that nobody learns it; and how hard it is to guess."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from planner.patrol.answer import Walk, walks_of
from planner.patrol.night import UNEVEN, Night
from planner.patrol.rounds import Job, Numbers, Team, solved, within
from planner.patrol.territories import crew_parts
from planner.watch import Watch

#: Plans drawn to measure how much they differ; moves of the walk for each service; the length of a guess.
DRAWS, MOVES_A_SERVICE, SLOT_S = 8, 30, 1800.0


def draw_plan(
    night: Night, routes: Sequence[Numbers], loss: float, watch: Watch, team: Team, date: dt.date, seed: int
) -> tuple[tuple[Numbers, ...], pd.DataFrame]:
    """Return a plan drawn at random that costs at most ``loss`` more than ``routes``, and a row on the draw.

    Each draw walks at random, part by part, among plans under the ceiling: every part may cost its share of the loss
    more crew time (fairness and ways away from home counted), and nothing more may be left out than that outweighs.
    The row: loss (allowed), cost_best, cost_drawn, paid (share), draws, entropy_bits (mean over services of the
    Shannon entropy of the half hour in which one is done, over the draws; an absent service has a slot of its own),
    most_bits (the most that so few draws can show), same_slot_share, same_crew_share (chance that two draws agree).
    """
    draws = [_drawn(night, routes, loss, watch, team, seed, k) for k in range(DRAWS)]
    walked = [walks_of(night, plan) for plan in draws]
    slots = np.stack([_slots(night, walks) for walks in walked])
    crews = np.stack([_crews(night, plan) for plan in draws])
    best, drawn = night_cost(night, walks_of(night, routes)), night_cost(night, walked[0])
    row = {
        "date": date.isoformat(), "loss": loss, "cost_best": best, "cost_drawn": drawn, "paid": drawn / best - 1.0,
        "draws": DRAWS, "entropy_bits": float(np.mean([_entropy_bits(of) for of in slots.T])),
        "most_bits": float(np.log2(DRAWS)), "same_slot_share": _agreement(slots), "same_crew_share": _agreement(crews),
    }  # fmt: skip
    return draws[0], pd.DataFrame([row])


def night_cost(night: Night, walks: Sequence[Walk]) -> float:
    """Return what a plan of the whole night costs, as ``planner.patrol.problem.PatrolProblem`` says, in seconds."""
    absent = np.ones(len(night), bool)
    total = 0.0
    for walk in walks:
        absent[walk.route] = False
        took_s = float(walk.times.returns_s - night.crews.from_s[walk.crew])
        extra_s = float(night.take(walk.route, np.array([walk.crew])).extra_s().sum())
        total += took_s + UNEVEN * took_s**2 / float(night.crews.longest_s[walk.crew]) + extra_s
    return total + float(night.left_out[absent].sum())


def _drawn(
    night: Night, routes: Sequence[Numbers], loss: float, watch: Watch, team: Team, seed: int, k: int
) -> tuple[Numbers, ...]:
    """Return the plan of draw ``k``: a random walk in every part, parts cut anew for each draw."""
    rng = np.random.default_rng([seed, k])
    parts = crew_parts(night, list(routes), float(rng.uniform(0.0, np.pi)))
    jobs = [
        Job(
            night.take(part.services, part.crews), within(part, routes), MOVES_A_SERVICE * len(part.services),
            int(rng.integers(2**31)), 1.0, loss,
        )
        for part in parts
    ]  # fmt: skip
    drawn = list(routes)
    for part, found in zip(parts, solved(jobs, [np.inf] * len(jobs), watch, team, f"{k + 1}/{DRAWS}"), strict=True):
        for crew, route in zip(part.crews, found.routes, strict=True):
            drawn[crew] = part.services[route]
    return tuple(drawn)


def _slots(night: Night, walks: Sequence[Walk]) -> Numbers:
    """Return (n,) the half hour in which each service begins, -1 where it is left out."""
    slot = np.full(len(night), -1)
    for walk in walks:
        slot[walk.route] = (walk.times.begins_s // SLOT_S).astype(np.int64)
    return slot


def _crews(night: Night, routes: Sequence[Numbers]) -> Numbers:
    crew = np.full(len(night), -1)
    for c, route in enumerate(routes):
        crew[route] = c
    return crew


def _entropy_bits(drawn: Numbers) -> float:
    share = np.unique(drawn, return_counts=True)[1] / len(drawn)
    return float(-(share * np.log2(share)).sum())


def _agreement(drawn: Numbers) -> float:
    """Return the chance that two different draws agree on a service, (draws, n)."""
    d = len(drawn)
    pairs = [(drawn[i] == drawn[j]).mean() for i in range(d) for j in range(i)]
    return float(np.mean(pairs)) if pairs else 1.0
