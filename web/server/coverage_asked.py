"""What a page of coverage is asked to show, read from its address and written back into links."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from gis.errors import QuestionError
from gis.modes import MODES
from layers.codes import LEVELS
from layers.hours import HourOfWeek
from layers.records import FUNCTIONS
from layers.scenario_content import entries_from
from layers.scenarios import content_of
from layers.store import Store
from planner.coverage_inputs import HOURS_A_WEEK
from planner.coverage_question import CoverageQuestion

#: The thresholds every page measures at: those of ``lamplight coverage`` when nobody says which.
THRESHOLDS_S = CoverageQuestion().thresholds_s
MEASURES = ("people", "street")
SORTS = ("name", "people", "covered", "share", "street", "gap")
SHOWN_LEVELS = tuple(str(level) for level in reversed(LEVELS))


@dataclass(frozen=True, slots=True)
class Asked:
    """One view of coverage, valid as it stands.

    function : one of FUNCTIONS or "". mode : how people move. threshold_s : of THRESHOLDS_S. measure : of MEASURES.
    hour : of the week, 0 to 167; None leaves opening hours aside. level : a tier, or "" for the first there is.
    area : code of the area whose gaps are shown. sort : of SORTS, "-" before it for the greatest first.
    """

    function: str = ""
    mode: str = "walk"
    threshold_s: int = THRESHOLDS_S[-1]
    measure: str = "people"
    hour: int | None = None
    level: str = ""
    area: str = ""
    sort: str = "share"
    everything: bool = False

    @property
    def moment(self) -> HourOfWeek | None:
        """The hour of the week, if any."""
        return None if self.hour is None else HourOfWeek(self.hour // 24, self.hour % 24 * 60)

    def question(self, store: Store, scenario: int | None = None) -> CoverageQuestion:
        """Return the question whose run is shown: all hours are in it. Raises UnknownScenarioError."""
        changes = () if scenario is None else tuple(entries_from(content_of(store, scenario)))
        return CoverageQuestion(THRESHOLDS_S, self.function or None, mode=self.mode, scenario=scenario, changes=changes)

    def in_address(self, **changes: Any) -> dict[str, Any]:
        """Return the view with ``changes`` as the values of an address, those that go without saying left out."""
        values = {
            "function": self.function, "mode": self.mode, "minutes": self.threshold_s // 60, "measure": self.measure,
            "hour": self.hour, "level": self.level, "area": self.area, "sort": self.sort,
            "all": "yes" if self.everything else "", **changes,
        }  # fmt: skip
        plain = {"mode": "walk", "minutes": THRESHOLDS_S[-1] // 60, "measure": "people", "sort": "share"}
        return {name: value for name, value in values.items() if value not in ("", None, plain.get(name))}


def asked(given: Mapping[str, str] | None = None) -> Asked:
    """Read a view from an address; raises QuestionError on a word or number that cannot be."""
    given = request.args if given is None else given
    minutes = _whole(given.get("minutes", ""), [t // 60 for t in THRESHOLDS_S])
    sort = given.get("sort", "") or "share"
    _one_of(sort.removeprefix("-"), SORTS)
    return Asked(
        function=_one_of(given.get("function", ""), ("", *FUNCTIONS)),
        mode=_one_of(given.get("mode", "") or "walk", MODES),
        threshold_s=THRESHOLDS_S[-1] if minutes is None else minutes * 60,
        measure=_one_of(given.get("measure", "") or "people", MEASURES),
        hour=_whole(given.get("hour", ""), range(HOURS_A_WEEK)),
        level=_one_of(given.get("level", ""), ("", *SHOWN_LEVELS)),
        area=given.get("area", "")[:15],
        sort=sort,
        everything=given.get("all") == "yes",
    )


def _one_of(word: str, words: Any) -> str:
    if word not in words:
        raise QuestionError(f"没有这个选项：{word}", f"there is no such choice: {word!r}")
    return word


def _whole(text: str, known: Any) -> int | None:
    if text == "":
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1
    if number not in known:
        raise QuestionError(f"没有这个选项：{text}", f"there is no such choice: {text!r}")
    return number
