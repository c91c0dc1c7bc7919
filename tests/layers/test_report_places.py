"""Where open reports are, for those who send somebody: inside their area, written down, the same person told."""

from datetime import timedelta

import pytest

from gis.crs import metric_crs, to_metric
from layers.audit import entries
from layers.desk_mark import desk_mark
from layers.report_places import placed_reports, same_person
from layers.roles import NotAllowedError
from layers.store import Store
from tests.layers.report_city import BETWEEN, IN_HERE, IN_THERE, NOW, ReportCity, build


@pytest.fixture
def city(store: Store) -> ReportCity:
    return build(store)


def test_places_are_those_of_open_reports_of_the_own_area_urgent_ones_first(city: ReportCity) -> None:
    plain, urgent, ended = city.receive(), city.receive(needs=("medical",)), city.receive()
    city.receive(BETWEEN)
    city.move(ended, "unfounded")
    found = placed_reports(city.as_(city.supervisor), by=city.supervisor, now=NOW)
    assert [one.report.id for one in found] == [urgent, plain]
    assert (found[0].lon, found[0].lat, found[0].place) == pytest.approx((*IN_HERE, "桥洞下"), abs=1e-9)
    for other in (city.worker, city.centre, city.planner):
        with pytest.raises(NotAllowedError):
            placed_reports(city.as_(other), by=other, now=NOW)


def test_reading_places_is_written_down_once_an_hour_and_whenever_there_are_new_ones(city: ReportCity) -> None:
    store = city.as_(city.supervisor)

    def written(minutes: int) -> int:
        placed_reports(store, by=city.supervisor, now=NOW + timedelta(minutes=minutes))
        return len(entries(city.store, action="read_places"))

    assert written(0) == 0, "nothing was there to be read"
    number = city.receive()
    assert [written(1), written(30), written(59)] == [1, 1, 1]
    newer = city.receive()
    assert [written(60), written(61)] == [2, 2]
    assert written(200) == 3
    last = entries(city.store, action="read_places")[0]
    assert (last.account_id, last.detail) == (city.supervisor.id, {"reports": 2, "newest": newer})
    assert newer > number


def test_two_reports_may_be_one_person_within_the_distance_of_a_need_they_share(city: ReportCity) -> None:
    lon, lat = IN_THERE

    def away(metres: float) -> tuple[float, float]:
        crs = metric_crs(lon, lat)
        (x0, x1), _ = to_metric([lon, lon + 0.001], [lat, lat], crs)
        return lon + 0.001 * metres / float(x1 - x0), lat

    here = city.receive(IN_THERE, needs=("lost", "medical"))
    near, far = city.receive(away(190), needs=("medical",)), city.receive(away(210), needs=("medical",))
    lost, gone = city.receive(away(-590), needs=("lost",)), city.receive(away(-610), needs=("lost",))
    other = city.receive(away(10), needs=("food_clothes",))
    found = same_person(placed_reports(city.as_(city.supervisor), by=city.supervisor, now=NOW))
    assert [number for number, _ in found[here]] == [near, lost]
    assert found[here][0][1] == pytest.approx(190, abs=0.5)
    assert here in [number for number, _ in found[near]] and far in [number for number, _ in found[near]]
    assert found[other] == [] and [number for number, _ in found[gone]] == [lost]
    assert same_person([]) == {}


def test_the_mark_of_a_desk_changes_with_the_reports_its_reader_sees(city: ReportCity) -> None:
    store = city.as_(city.supervisor)
    marks = [desk_mark(store, 1, by=city.supervisor)]
    number = city.receive()
    marks.append(desk_mark(store, 1, by=city.supervisor))
    city.receive(BETWEEN)
    assert desk_mark(store, 1, by=city.supervisor) == marks[-1], "not of one's own area"
    city.move(number, "verified")
    assert desk_mark(store, 1, by=city.supervisor) not in marks
    assert len(set(marks)) == 2
