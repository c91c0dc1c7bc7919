"""Runs on their pages: started as jobs, shown as far as the own area reaches, compared, and taken into a scenario."""

import json
import re
import zipfile
from io import BytesIO
from typing import Any

import pandas as pd
import pytest
from apiflask import APIFlask

from layers.jobs import jobs
from layers.run import Run
from layers.scenarios import scenarios
from tests.web.server.planning_world import PEOPLE, hotspot_runs, siting_run
from tests.web.server.staff import CITY, DISTRICT, ELSEWHERE, HERE, Browser, add, alert, signed_in, store_of

JOB = re.compile(r"/staff/jobs/(\d+)$")


@pytest.fixture
def planner(app: APIFlask) -> Browser:
    return signed_in(app, add(app, "plan", "planner", CITY))


def filled(page: Any) -> dict[str, Any]:
    """Return what a browser would send of the form on a page, nobody having touched it."""
    form = page.text.partition('class="asked-form"')[2].partition("</form>")[0]
    sent: dict[str, Any] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, value = (re.search(rf'{what}="([^"]*)"', tag) for what in ("name", "value"))
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            sent.setdefault(name[1], []).append(value[1] if value else "")
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        sent[name] = [chosen[1]] if chosen else [""]
    return sent


@pytest.mark.parametrize("kind", ["siting", "patrol", "hotspot-map", "hotspot-forecast", "hotspot-backtest"])
def test_a_form_sent_as_it_is_asks_for_one_job(app: APIFlask, planner: Browser, kind: str) -> None:
    page = planner.get(f"/staff/runs/new/{kind}")
    assert page.status_code == 200
    answers = [planner.post(f"/staff/runs/new/{kind}", **filled(page)) for _ in range(2)]
    assert all(answer.status_code == 303 and JOB.search(answer.location) for answer in answers)
    assert answers[0].location == answers[1].location, "the same question is the same job"
    asked = jobs(store_of(app))
    assert [(job.kind, job.state) for job in asked] == [(kind, "queued")]
    assert asked[0].parameters["seed" if kind != "hotspot-forecast" else "cover"] in (0, 0.9)


def test_what_cannot_be_asked_is_said_at_the_form_which_keeps_what_was_filled_in(
    app: APIFlask, planner: Browser
) -> None:
    page = planner.get("/staff/runs/new/siting?problem=mclp")
    answer = planner.post("/staff/runs/new/siting", **{**filled(page), "count": "-4"})
    assert answer.status_code == 422 and "点数无效：-4" in alert(answer)
    assert 'value="-4"' in answer.text and jobs(store_of(app)) == []


def test_who_may_not_start_a_run_does_not(app: APIFlask) -> None:
    centre = signed_in(app, add(app, "centre", "guidance_centre", CITY))
    assert "/staff/runs/new" not in centre.get("/staff/runs").text
    assert centre.get("/staff/runs/new/siting").status_code == 403
    assert centre.post("/staff/runs/measure").status_code == 403
    boss = signed_in(app, add(app, "boss", "supervisor", HERE))
    assert boss.get("/staff/runs/new/siting").status_code == 403


def test_a_supervisor_asks_about_the_own_area_alone(app: APIFlask) -> None:
    boss = signed_in(app, add(app, "boss", "supervisor", HERE))
    page = boss.get("/staff/runs/patrol/new")
    sent = filled(page)
    assert sent["within"] == [HERE] and ELSEWHERE not in page.text
    assert boss.post("/staff/runs/patrol/new", **sent).status_code == 303
    assert jobs(store_of(app))[0].parameters["within"] == [HERE]
    for outside in (ELSEWHERE, ""):
        assert boss.post("/staff/runs/patrol/new", **{**sent, "within": outside}).status_code == 422


def test_measuring_again_asks_for_the_usual_coverage(app: APIFlask, planner: Browser) -> None:
    planner.get("/staff/runs")
    assert planner.post("/staff/runs/measure").status_code == 303
    assert [job.kind for job in jobs(store_of(app))] == ["coverage"]


def test_a_result_says_what_it_brings_how_good_it_is_and_where_it_comes_from(app: APIFlask, planner: Browser) -> None:
    run = siting_run(store_of(app))
    page = planner.get(f"/staff/runs/{run.id}")
    assert "新增 2 个点位，10 分钟内多覆盖 100 人" in page.text
    assert "别的选法至多再多 1.2 %" in page.text, "607.2 may be reached at most, 600 are"
    assert run.id in page.text and run.software in page.text and "streets.parquet" in page.text
    assert planner.get("/staff/runs").text.count(f"/staff/runs/{run.id}") == 1


def test_of_a_result_only_the_own_area_is_seen(app: APIFlask) -> None:
    run = siting_run(store_of(app))
    browser = signed_in(app, add(app, "boss", "supervisor", HERE))
    page = browser.get(f"/staff/runs/{run.id}")
    whole, before, after = PEOPLE[HERE]
    assert page.status_code == 200 and f"{before / whole:.1%} → {after / whole:.1%}" in page.text
    for secret in ("异地", "全市的故事", "600 人", "辖区3"):
        assert secret not in page.text, secret
    shapes = browser.get(f"/staff/runs/{run.id}/map.geojson?level=subdistrict")
    features = json.loads(shapes.text)["features"]
    assert len([f for f in features if f["properties"]["part"] == "area"]) == 1
    assert [f["properties"]["mark"] for f in features if f["properties"].get("mark")] == ["1"]
    assert browser.get(f"/staff/runs/{run.id}/files/site.xlsx").status_code == 404
    book = browser.get(f"/staff/runs/{run.id}/files/own-area.xlsx")
    with zipfile.ZipFile(BytesIO(book.data)) as archive:
        text = "".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    assert "近处" in text and "异地" not in text and ELSEWHERE not in text


def test_a_run_about_another_area_does_not_exist(app: APIFlask, planner: Browser) -> None:
    run = siting_run(store_of(app), within=(ELSEWHERE,))
    browser = signed_in(app, add(app, "boss", "supervisor", HERE))
    for end in (
        f"{run.id}",
        f"{run.id}/map.geojson",
        f"{run.id}/files/own-area.xlsx",
        f"compare?a={run.id}&b={run.id}",
    ):
        assert browser.get(f"/staff/runs/{end}").status_code == 404, end
    assert run.id not in browser.get("/staff/runs").text
    for wrong in (run.id[:6], "0" * 12, "x"):
        assert planner.get(f"/staff/runs/{wrong}").status_code == 404


def test_every_file_is_to_be_kept_and_none_is_a_live_page(app: APIFlask, planner: Browser) -> None:
    run = siting_run(store_of(app))
    names = re.findall(rf"/staff/runs/{run.id}/files/([^\"]+)", planner.get(f"/staff/runs/{run.id}").text)
    assert set(names) == {"site.gpkg", "site.xlsx", "site.html", "site.png"}
    for name in ("site.html", "site.xlsx"):
        answer = planner.get(f"/staff/runs/{run.id}/files/{name}")
        assert answer.status_code == 200 and answer.mimetype == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{run.id}-{name}"'
    assert planner.get(f"/staff/runs/{run.id}/files/passwd").status_code == 404


def test_who_may_not_read_the_roster_sees_no_names_in_a_plan_of_patrols(app: APIFlask, planner: Browser) -> None:
    none = pd.DataFrame(columns=["code", "zh", "en", "metres", "segment_id"])
    tables = dict.fromkeys(("steps", "legs", "uncovered", "plan", "variety", "notes"), none)
    crews = pd.DataFrame({
        "date": ["2026-03-31"], "crew": ["C01"], "persons": ["王秘密"], "home": [HERE], "services": [3.0],
        "walked_m": [900.0], "mode": ["walk"], "duration_s": [3600.0], "shift_from": ["2026-03-31T20:00:00"],
        "shift_until": ["2026-04-01T00:00:00"],
    })  # fmt: skip
    asked = {"date": "2026-03-31", "days": 1, "hours": "20:00-24:00", "within": []}
    kept = store_of(app).save_run(Run("patrol", asked, {}, {**tables, "crews": crews}))
    reports = [[117.2, 30.5, "2026-03-31T21:00:00"]]
    again = store_of(app).save_run(Run("patrol", {**asked, "reports": reports}, {}, {**tables, "crews": crews}))
    centre, boss = (add(app, role, role, DISTRICT) for role in ("guidance_centre", "supervisor"))
    for browser, named in ((planner, False), (signed_in(app, centre), False), (signed_in(app, boss), True)):
        page = browser.get(f"/staff/runs/{kept.id}")
        assert page.status_code == 200 and "C01" in page.text and ("王秘密" in page.text) == named
    assert planner.get(f"/staff/runs/{again.id}").status_code == 403, "it leads to where reports came from"
    assert planner.get(f"/staff/runs/{again.id}/map.geojson").status_code == 403
    data = signed_in(app, centre).get(f"/staff/runs/{kept.id}/files/own-area.xlsx").data
    with zipfile.ZipFile(BytesIO(data)) as book:
        assert not any("王秘密".encode() in book.read(name) for name in book.namelist())


def test_two_plans_are_compared(app: APIFlask, planner: Browser) -> None:
    a, b = (siting_run(store_of(app), seed=seed) for seed in (0, 1))
    page = planner.get(f"/staff/runs/compare?a={a.id}&b={b.id}")
    assert page.status_code == 200 and "10 分钟内可达人口（方案后）" in page.text and ">600<" in page.text
    assert "两案相同的点位" in page.text
    assert planner.get("/staff/runs/compare").status_code == 200
    assert planner.get("/staff/runs/compare?a=x&b=y").status_code == 404


def test_a_plan_becomes_a_scenario_of_its_own_name(app: APIFlask, planner: Browser) -> None:
    run = siting_run(store_of(app))
    planner.get(f"/staff/runs/{run.id}")
    refused = planner.post(f"/staff/runs/{run.id}/scenario", name="")
    assert refused.status_code == 422 and alert(refused)
    made = planner.post(f"/staff/runs/{run.id}/scenario", name="北边两个点")
    assert made.status_code == 303 and re.search(r"/staff/scenarios/\d+$", made.location)
    assert [one.name for one in scenarios(store_of(app))] == ["北边两个点"]


def test_hotspots_say_unknown_where_nobody_looked(app: APIFlask, planner: Browser) -> None:
    assert "还没有这项分析的结果" in planner.get("/staff/hotspots").text
    runs = hotspot_runs(store_of(app))
    page = planner.get("/staff/hotspots?level=subdistrict")
    assert page.status_code == 200 and page.text.count(">不明<") == 1, "one subdistrict of the toy is unknown"
    shapes = json.loads(planner.get(f"/staff/runs/{runs['hotspot-map'].id}/map.geojson?level=subdistrict").text)
    hatched = [f["properties"]["title"] for f in shapes["features"] if f["properties"]["hatch"]]
    assert len(hatched) == 1 and hatched[0].endswith("不明")
    assert {f["geometry"]["type"] for f in shapes["features"]} <= {"Polygon", "MultiPolygon"}, "no place of anybody"


def test_the_backtest_is_a_chart_with_its_figures_beside_it(app: APIFlask, planner: Browser) -> None:
    run = hotspot_runs(store_of(app))["hotspot-backtest"]
    page = planner.get("/staff/hotspots?view=test")
    months, methods = run.tables["months"]["origin"].nunique(), len(run.tables["summary"])
    assert page.text.count("<polyline") == methods
    own = re.search(r'<polyline points="([^"]+)"[^>]*class="own"', page.text)
    assert own and len(own[1].split()) == months
    for month in run.tables["months"]["origin"].astype(str).str[:7].unique():
        assert f">{month}</th>" in page.text


def test_a_forecast_is_shown_with_intervals(app: APIFlask, planner: Browser) -> None:
    hotspot_runs(store_of(app))
    page = planner.get("/staff/hotspots?view=week")
    assert page.status_code == 200 and re.search(r">[\d.]+ \([\d.]+–[\d.]+\)<", page.text)


def test_hotspots_of_another_area_are_not_seen(app: APIFlask) -> None:
    hotspot_runs(store_of(app))
    names = dict(zip(*(store_of(app).load("areas", "subdistrict")[c] for c in ("code", "name")), strict=True))
    browser = signed_in(app, add(app, "boss", "supervisor", DISTRICT))
    page = browser.get("/staff/hotspots?level=subdistrict").text
    assert names[ELSEWHERE] not in page
    assert browser.get("/staff/hotspots?view=nothing").status_code == 404
    assert browser.get("/staff/hotspots?level=street").status_code == 404
