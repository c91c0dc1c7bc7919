"""Coverage with its clock, scenarios and their comparison, as a browser without scripts sees them."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest
from apiflask import APIFlask

from layers.accounts import Account
from layers.hours import HourOfWeek
from layers.jobs import jobs
from layers.run import Run
from layers.scenario_content import entries_from
from layers.scenarios import content_of, create_scenario, scenario
from layers.scope import Scope
from planner.coverage import CoverageQuestion
from planner.runs import run_coverage
from tests.web.server.scenario_world import scenario_with_changes
from tests.web.server.staff import CITY, DISTRICT, ELSEWHERE, HERE, Browser, add, alert, signed_in, store_of
from tests.web.server.staff_world import middle
from web.server.city import now

TABLE = re.compile(r'<tr role="row" data-area="(\d+)".*?</tr>', re.S)
WEDNESDAY_NIGHT = 2 * 24 + 2


def rows(page: Any) -> dict[str, list[str]]:
    """The cells of each area in a page's table."""
    found = {}
    for row in TABLE.finditer(page.text):
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row[0], re.S)
        found[row[1]] = [re.sub(r"<[^>]+>|[\s,%+]", "", cell) for cell in cells]
    return found


@pytest.fixture
def planner(app: APIFlask) -> Account:
    return add(app, "planner", "planner", CITY)


@pytest.fixture
def browser(app: APIFlask, planner: Account) -> Browser:
    return signed_in(app, planner)


_MEASURED: dict[str, Run] = {}


def measured(app: APIFlask, question: CoverageQuestion | None = None) -> Run:
    """Keep the answer to a question; the demo town is the same in every test, so each is computed once."""
    asked = question or CoverageQuestion()
    key = repr(asked)
    if key in _MEASURED:
        return store_of(app).save_run(_MEASURED[key])
    return _MEASURED.setdefault(key, run_coverage(store_of(app), asked))


def test_a_question_never_asked_is_offered_and_asked_once(app: APIFlask, browser: Browser) -> None:
    page = browser.get("/staff/coverage?function=guidance")
    assert "还没有算过" in page.text and "按现在的数据计算" in page.text
    for _again in range(2):
        answer = browser.post(
            "/staff/coverage/ask", function="guidance", hour="5", back="/staff/coverage?function=guidance"
        )
        assert (answer.status_code, answer.location) == (303, "/staff/coverage?function=guidance")
    asked = jobs(store_of(app))
    assert [(job.kind, job.parameters["function"]) for job in asked] == [("coverage", "guidance")]
    assert "排队中" in browser.get("/staff/coverage?function=guidance").text
    assert browser.post("/staff/coverage/ask", back="//elsewhere.example/").location == "/staff/coverage"
    reader = signed_in(app, add(app, "reader", "guidance_centre", CITY))
    page = reader.get("/staff/coverage")
    assert page.status_code == 200 and "按现在的数据计算" not in page.text
    assert reader.post("/staff/coverage/ask").status_code == 403


def test_the_table_at_an_hour_is_what_asking_at_that_hour_answers(app: APIFlask, browser: Browser) -> None:
    measured(app)
    at = measured(app, CoverageQuestion(at=HourOfWeek(2, 120))).tables["areas"].set_index("code")
    found = rows(browser.get(f"/staff/coverage?hour={WEDNESDAY_NIGHT}&minutes=10&level=subdistrict"))
    assert set(found) == set(at.index[at["level"] == "subdistrict"])
    for code, (people, covered, share, street, _gap) in found.items():
        area = at.loc[code]
        assert int(people) == round(area["people"])
        assert int(covered) == round(area["covered_people_600"])
        assert float(share) == pytest.approx(100 * area["covered_people_600"] / area["people"], abs=0.051)
        assert float(street) == pytest.approx(area["street_m"] / 1000, abs=0.051)
    by_people = list(rows(browser.get("/staff/coverage?sort=-people")).values())
    assert [int(cells[0]) for cells in by_people] == sorted((int(cells[0]) for cells in by_people), reverse=True)


def test_the_clocks_figures_are_those_of_the_table(app: APIFlask, browser: Browser) -> None:
    measured(app)
    told = browser.client.get("/staff/coverage/hours.json?level=community&minutes=5").get_json()
    assert len(told["clock"]) == 168
    for hour in (0, WEDNESDAY_NIGHT, 167):
        table = rows(browser.get(f"/staff/coverage?level=community&minutes=5&hour={hour}&all=yes"))
        covered = told["sets"][told["clock"][hour]]
        assert {code: round(people) for code, people in covered.items()} == {c: int(v[1]) for c, v in table.items()}
    table = rows(browser.get("/staff/coverage?level=community&minutes=5&all=yes"))
    assert {code: round(people) for code, people in told["base"].items()} == {c: int(v[1]) for c, v in table.items()}


def test_an_areas_gaps_are_listed_and_drawn(app: APIFlask, browser: Browser) -> None:
    gaps = measured(app).tables["gaps"]
    area = gaps[gaps["level"] == "subdistrict"]["code"].iloc[0]
    mine = gaps[gaps["code"] == area].sort_values(["people", "gap_m"], ascending=False)
    page = browser.get(f"/staff/coverage?area={area}")
    listed = re.findall(r"([\d,]+) 米走不到，沿线 ([\d,]+) 人", page.text)
    expected = [(f"{m:,.0f}", f"{p:,.0f}") for m, p in zip(mine["gap_m"], mine["people"], strict=True)]
    assert listed == expected and listed
    drawn = browser.client.get(f"/staff/coverage/gaps.geojson?area={area}").get_json()["features"]
    assert [f["properties"]["metres"] for f in drawn] == [round(m) for m in mine["gap_m"]]


def test_the_gaps_of_an_hour_are_those_of_the_points_open_then_inside_the_own_area(app: APIFlask) -> None:
    measured(app)
    reader = signed_in(app, add(app, "boss", "supervisor", HERE))
    at = HourOfWeek(WEDNESDAY_NIGHT // 24, WEDNESDAY_NIGHT % 24 * 60)
    gaps = measured(app, replace(CoverageQuestion(), at=at)).tables["gaps"]
    mine = gaps[gaps["code"] == HERE].sort_values(["people", "gap_m"], ascending=False)

    def drawn(address: str) -> list[int]:
        features = reader.client.get(f"/staff/coverage/gaps.geojson?{address}").get_json()["features"]
        return [feature["properties"]["metres"] for feature in features]

    assert drawn(f"area={HERE}&hour={WEDNESDAY_NIGHT}") == [round(m) for m in mine["gap_m"]]
    page = reader.get(f"/staff/coverage?area={HERE}&hour={WEDNESDAY_NIGHT}").text
    assert "只算周三 02:00开放的点位" in page and "缺口不看开放时间。" not in page
    assert drawn(f"area={ELSEWHERE}&hour={WEDNESDAY_NIGHT}") == []


def test_files_hold_the_areas_shown(app: APIFlask, browser: Browser) -> None:
    run = measured(app)
    answer = browser.client.get("/staff/coverage/file?kind=csv&level=district")
    table = pd.read_csv(io.BytesIO(answer.data), dtype={"code": str})
    areas = run.tables["areas"].set_index("code")
    assert table["covered_people"].tolist() == pytest.approx(areas.loc[table["code"], "covered_people_900"].tolist())
    book = openpyxl.load_workbook(io.BytesIO(browser.client.get("/staff/coverage/file?kind=xlsx").data))
    assert book["区域 Areas"].max_row > len(table)
    assert browser.client.get("/staff/coverage/file?kind=gpkg").data.startswith(b"SQLite format 3")
    assert browser.get("/staff/coverage/file?kind=exe").status_code == 404
    assert browser.get("/staff/coverage/file?function=guidance").status_code == 303
    for wrong in (
        "hour=168",
        "hour=x",
        "minutes=7",
        "function=soup",
        "mode=fly",
        "level=street",
        "sort=x",
        "measure=y",
    ):
        assert browser.get(f"/staff/coverage?{wrong}").status_code == 422


def test_old_results_are_told_to_be_old(app: APIFlask, browser: Browser) -> None:
    measured(app)
    assert "按现在的数据计算" not in browser.get("/staff/coverage").text
    store = store_of(app)
    points = store.load("service-points")
    store.import_layer("service-points", "", points.iloc[1:], source="later", sha256="1")
    page = browser.get("/staff/coverage")
    assert "下面是更新前的结果" in page.text and rows(page)


def test_a_subdistrict_sees_its_own_areas_points_and_scenarios_alone(app: APIFlask, planner: Account) -> None:
    store = store_of(app)
    measured(app)
    city_wide = scenario_with_changes(store, planner)
    other = create_scenario(store, "别处的情景", by=add(app, "there", "planner", ELSEWHERE), now=now())
    browser = signed_in(app, add(app, "here", "planner", HERE))
    table = rows(browser.get("/staff/coverage?level=community&all=yes"))
    assert table and all(code.startswith(HERE[:9]) for code in table)
    for path in (
        "areas.geojson?level=community",
        "hours.json?level=community",
        "points.geojson",
        "file?level=community",
    ):
        told = browser.client.get(f"/staff/coverage/{path}").text
        assert HERE[:9] in told or "features" in told
        assert ELSEWHERE[:9] not in told
    inside = set(store.within(Scope.of(HERE)).load("service-points")["code"])
    drawn = browser.client.get("/staff/coverage/points.geojson").get_json()["features"]
    assert inside <= {f["properties"]["code"] for f in drawn} and len(drawn) < len(store.load("service-points"))
    assert "别处的情景" not in browser.get("/staff/scenarios").text
    for number in (city_wide.id, other.id):
        for path in ("scenarios/{}", "coverage?scenario={}", "coverage/points.geojson?scenario={}",
                     "coverage/file?scenario={}", "coverage/hours.json?scenario={}", "scenarios/compare?b={}",
                     "scenarios/compare/file?a={}"):  # fmt: skip
            assert browser.get("/staff/" + path.format(number)).status_code == 404, path
        assert browser.post("/staff/coverage/ask", scenario=str(number)).status_code == 404
    mine = create_scenario(store.within(Scope.of(HERE)), "自己的", by=add(app, "here2", "planner", HERE), now=now())
    lon, lat = middle(app, ELSEWHERE)
    fields = {"action": "add", "version": "1", "lon": lon, "lat": lat, "name": "越界"}
    assert browser.post(f"/staff/scenarios/{mine.id}/change", **fields).status_code == 422
    foreign = str(store.within(Scope.of(ELSEWHERE)).load("service-points")["code"].iloc[0])
    assert (
        browser.post(f"/staff/scenarios/{mine.id}/change", action="close", code=foreign, version="1").status_code == 404
    )


def test_a_scenario_is_made_changed_undone_and_put_away_by_forms(app: APIFlask, browser: Browser) -> None:
    assert alert(browser.post("/staff/scenarios/new", name=" ")).endswith("必填")
    there = browser.post("/staff/scenarios/new", name="方案甲").location
    number = int(there.rsplit("/", 1)[1])
    lon, lat = middle(app, HERE)
    change = {
        "action": "add",
        "lon": lon,
        "lat": lat,
        "name": "夜间点",
        "hours": "24/7",
        "functions": ["reception", "guidance"],
    }
    assert browser.post(f"{there}/change", version="1", **change).status_code == 303
    page = browser.get(there)
    assert "NEW-1 夜间点，开放 全天 24 小时" in page.text
    stale = browser.post(f"{there}/change", version="1", action="close", code="NEW-1")
    assert stale.status_code == 409 and "姓名planner已改动这个情景" in alert(stale)
    wrong = browser.post(
        f"{there}/change", version="2", action="add", lon="east", lat=lat, name="留住的名字", hours="有空就开"
    )
    assert wrong.status_code == 422 and "不是数字" in alert(wrong)
    assert 'value="留住的名字"' in wrong.text
    assert browser.post(f"{there}/undo", version="2").status_code == 303
    assert content_of(store_of(app), number) == ""
    assert browser.post(f"{there}/undo", version="3").status_code == 422
    browser.post(f"{there}/name", version="3", name="方案乙", note="改过")
    browser.post(f"{there}/archive", version="4", archived="yes")
    assert "方案乙" not in browser.get("/staff/scenarios").text
    assert "方案乙" in browser.get("/staff/scenarios?archived=yes").text
    assert "新增点位" not in re.sub(r"<ol.*?</ol>", "", browser.get(there).text, flags=re.S)
    browser.post(f"{there}/archive", version="5", archived="no")
    assert scenario(store_of(app), number).state == "open"


def test_what_a_scenario_would_do_is_said_at_once_and_as_measuring_finds_it(
    app: APIFlask, browser: Browser, planner: Account
) -> None:
    store = store_of(app)
    made = scenario_with_changes(store, planner)
    page = browser.get(f"/staff/scenarios/{made.id}")
    said = re.findall(r"(\d+) 分钟 <small>人</small></th>\s*<td[^>]*>([\d,]+)</td><td[^>]*>([\d,]+)</td>", page.text)
    entries = tuple(entries_from(content_of(store, made.id)))
    before, after = (measured(app, q).tables["totals"].iloc[0] for q in (
        CoverageQuestion(), CoverageQuestion(scenario=made.id, changes=entries)))  # fmt: skip
    expected = [
        (str(t // 60), *(f"{of[f'covered_people_{t}']:,.0f}" for of in (before, after))) for t in (300, 600, 900)
    ]
    assert said == expected


def test_two_sides_are_compared_area_by_area_and_in_a_workbook(
    app: APIFlask, browser: Browser, planner: Account
) -> None:
    store = store_of(app)
    made = scenario_with_changes(store, planner)
    before = measured(app)
    address = f"/staff/scenarios/compare?a=live&b={made.id}&level=community"
    page = browser.get(address)
    assert page.text.count("按现在的数据计算") == 1 and not rows(page)
    browser.post("/staff/coverage/ask", scenario=str(made.id))
    asked = jobs(store)[0].parameters
    assert (asked["scenario"], len(asked["changes"])) == (made.id, 5)
    entries = tuple(entries_from(content_of(store, made.id)))
    after = measured(app, CoverageQuestion(scenario=made.id, changes=entries))
    old, new = (run.tables["areas"].set_index("code")["covered_people_900"] for run in (before, after))
    found = rows(browser.get(address))
    assert found
    for code, (was, is_now, change, *_shares) in found.items():
        assert (int(was), int(is_now)) == (round(old[code]), round(new[code]))
        assert int(change) == pytest.approx(new[code] - old[code], abs=0.51)
    answer = browser.client.get(address.replace("compare?", "compare/file?"))
    assert answer.data == browser.client.get(address.replace("compare?", "compare/file?")).data
    book = openpyxl.load_workbook(io.BytesIO(answer.data))
    assert book.sheetnames == [
        "摘要 Summary",
        "区域 Areas",
        "得益 Gains",
        "受损 Losses",
        "街道 Streets",
        "改动 Changes",
        "说明 Notes",
    ]
    table = pd.DataFrame(book["区域 Areas"].values)
    table.columns = [str(h).replace("\n", " ") for h in table.iloc[0]]
    change = next(c for c in table if c.startswith("≤15 分钟变化（人）"))
    for _, row in table.iloc[1:].iterrows():
        if row.iloc[0] in old.index:
            assert float(row[change] or 0) == pytest.approx(new[row.iloc[0]] - old[row.iloc[0]], abs=0.001)
    gains = sum(
        float(r[0]) for r in pd.DataFrame(book["得益 Gains"].values).iloc[1:][[list(table).index(change)]].to_numpy()
    )
    level = after.tables["areas"].set_index("code")["level"]
    finest = (new - old)[level == "community"]
    assert gains == pytest.approx(finest[finest > 0.5].sum(), abs=0.1)
    assert [row[1] for row in book["改动 Changes"].iter_rows(min_row=2, values_only=True)] == [
        e["code"] for e in entries
    ]
    turned = rows(browser.get(f"/staff/scenarios/compare?a={made.id}&b=live&level=community"))
    assert {code: -int(cells[2]) for code, cells in turned.items()} == {
        code: int(cells[2]) for code, cells in found.items()
    }


def test_the_files_of_a_scenario_hold_its_points(
    app: APIFlask, browser: Browser, planner: Account, tmp_path: Path
) -> None:
    store = store_of(app)
    made = scenario_with_changes(store, planner)
    entries = entries_from(content_of(store, made.id))
    measured(app, CoverageQuestion(scenario=made.id, changes=tuple(entries)))
    (tmp_path / "it.gpkg").write_bytes(browser.client.get(f"/staff/coverage/file?kind=gpkg&scenario={made.id}").data)
    points = gpd.read_file(tmp_path / "it.gpkg", layer="points").set_index("code")
    live = store.load("service-points").set_index("code")
    for entry in entries:
        if entry["action"] == "close":
            assert entry["code"] not in points.index
            continue
        point, before = points.loc[entry["code"]], live.geometry.get(entry["code"])
        place = (entry["lon"], entry["lat"]) if "lon" in entry else (before.x, before.y)
        assert (point.geometry.x, point.geometry.y) == pytest.approx(place, abs=1e-7)
        assert entry.get("hours", point["hours"]) == point["hours"]


def test_a_districts_planner_compares_a_scenario_of_the_district(app: APIFlask) -> None:
    store = store_of(app)
    person = add(app, "district", "planner", DISTRICT)
    made = create_scenario(store.within(Scope.of(DISTRICT)), "区里的", by=person, now=now())
    browser = signed_in(app, person)
    lon, lat = middle(app, HERE)
    browser.get(f"/staff/scenarios/{made.id}")
    browser.post(f"/staff/scenarios/{made.id}/change", action="add", version="1", lon=lon, lat=lat, name="新点")
    question = CoverageQuestion()
    measured(app, question)
    entries = tuple(entries_from(content_of(store, made.id)))
    run = measured(app, replace(question, scenario=made.id, changes=entries))
    seen = store.within(Scope.of(DISTRICT)).run(run.id).tables
    assert "NEW-1" in set(seen["points"]["code"]) and len(seen["clock"]) == 168
    assert set(seen["area_hours"]["code"].str[:6]) == {DISTRICT[:6]}
    page = browser.get(f"/staff/scenarios/compare?a=live&b={made.id}&level=community")
    assert page.status_code == 200
    assert rows(page) and all(code.startswith(DISTRICT[:6]) for code in rows(page))
    assert browser.client.get(f"/staff/scenarios/compare/file?a=live&b={made.id}").status_code == 200
