import datetime as dt

import pandas as pd
import pytest

from planner.roster import roster_gaps

AREAS = pd.DataFrame(
    {
        "code": ["320100000000", "320102001000", "320102001001", "320102001001001"],
        "name": ["city", "subdistrict", "community", "cell"],
        "level": ["city", "subdistrict", "community", "grid_cell"],
    }
)


def appointed(role: str, code: str, begin: dt.date | None, end: dt.date | None, person: str = "Li") -> pd.DataFrame:
    row = {"person": person, "role": role, "area_code": code, "from_date": begin, "until_date": end}
    return pd.DataFrame([row])


def vacant(roster: pd.DataFrame, day: dt.date) -> list[str]:
    return roster_gaps(AREAS, roster, day)["area_code"].tolist()


def test_without_anybody_every_level_that_needs_one_is_vacant_and_the_city_is_not_asked() -> None:
    gaps = roster_gaps(AREAS, appointed("supervisor", "320102001000", None, None).iloc[:0], dt.date(2024, 1, 1))
    assert gaps["missing"].tolist() == ["supervisor", "assistant", "grid_worker"]


@pytest.mark.parametrize(("day", "held"), [(9, False), (10, True), (20, True), (21, False)])
def test_an_appointment_holds_from_its_first_day_to_its_last_inclusive(day: int, held: bool) -> None:
    roster = appointed("supervisor", "320102001000", dt.date(2024, 5, 10), dt.date(2024, 5, 20))
    assert ("320102001000" not in vacant(roster, dt.date(2024, 5, day))) == held


def test_an_appointment_without_end_holds_on() -> None:
    roster = appointed("assistant", "320102001001", dt.date(2024, 5, 10), None)
    assert "320102001001" not in vacant(roster, dt.date(2030, 1, 1))


def test_the_wrong_role_or_an_empty_name_fills_nothing() -> None:
    day = dt.date(2024, 1, 1)
    assert "320102001000" in vacant(appointed("assistant", "320102001000", day, None), day)
    assert "320102001000" in vacant(appointed("supervisor", "320102001000", day, None, person=" "), day)
