"""The pages of jobs: what they say of each state, who sees them, and how a browser follows one to its end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from apiflask import APIFlask

from layers.job_queue import claim, finish
from layers.job_rows import Job, JobProgress
from layers.jobs import ask_job, job
from planner.coverage_question import CoverageQuestion
from planner.runs import run_coverage
from planner.siting.question import SitingQuestion
from tests.web.server.staff import CITY, ELSEWHERE, HERE, add, signed_in, store_of

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
SITING = SitingQuestion("mclp", count=3, within=(HERE,), seconds=5.0)


@pytest.fixture
def ask(app: APIFlask) -> Callable[..., Job]:
    def asking(area: str = HERE, question: Any = SITING, kind: str = "siting") -> Job:
        by = add(app, f"asked{area}", "planner", area)
        return ask_job(store_of(app), kind, question.parameters, by=by, now=NOW)

    return asking


def test_a_job_is_shown_in_words_in_each_state(app: APIFlask, ask: Callable[..., Job]) -> None:
    store, asked = store_of(app), ask()
    staff = signed_in(app, add(app, "chief", "supervisor", HERE))
    address = f"/staff/jobs/{asked.id}"
    page = staff.get(address).text
    assert "选址" in page and "排队中" in page and "等前面的任务完成后开始" in page and "还没有开始" in page
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page

    claim(store, asked.id, worker="w", now=NOW)
    how = JobProgress("siting", 5, 7, "searching for better sites", 1200.0, 1224.0)
    from layers.job_queue import beat

    beat(store, asked.id, worker="w", now=NOW, progress=how)
    page = staff.get(address).text
    for words in (
        "第 6 步，共 7 步：求最优选址",
        "寻找更好的点位",
        "目前最好：1,200 人；已证明最多 1,224 人，至多还能好 2 %",
    ):
        assert words in page, words
    assert 'max="7" value="5"' in page and "取消任务" not in page  # a supervisor does not end a planner's search
    told = staff.get(f"{address}/state").json
    assert (told["state"], told["over"]) == ("running", False) and "第 6 步" in told["html"]

    finish(store, asked.id, "failed", worker="w", now=NOW, progress=how, zh="没有街道", en="no streets")
    page = staff.get(address).text
    assert "未能完成：" in page and "没有街道" in page and "refresh" not in page and "jobs.js" not in page
    assert staff.get(f"{address}/state").json["over"]
    assert "失败" in staff.get("/staff/jobs").text and "没有街道" in staff.get("/staff/jobs?state=failed").text
    assert "没有任务" in staff.get("/staff/jobs?state=done").text
    assert staff.get("/staff/jobs?state=unheard").status_code == 404


def test_a_finished_job_leads_to_its_result_and_says_so_where_it_is_gone(
    app: APIFlask, ask: Callable[..., Job]
) -> None:  # fmt: skip
    store, asked = store_of(app), ask(question=CoverageQuestion(), kind="coverage")
    claim(store, asked.id, worker="w", now=NOW)
    run = run_coverage(store, CoverageQuestion())
    finish(store, asked.id, "done", worker="w", now=NOW, progress=JobProgress(), run_id=run.id)
    staff = signed_in(app, add(app, "chief", "supervisor", HERE))
    page = staff.get(f"/staff/jobs/{asked.id}").text
    assert f'href="/staff/runs/{run.id}"' in page
    assert staff.get(f"/staff/runs/{run.id}").status_code == 200
    store.remove_runs("coverage", datetime(2100, 1, 1, tzinfo=UTC))
    assert "结果已不再保存" in staff.get(f"/staff/jobs/{asked.id}").text


def test_jobs_of_other_areas_do_not_exist(app: APIFlask, ask: Callable[..., Job]) -> None:
    theirs = ask(ELSEWHERE, replace(SITING, within=(ELSEWHERE,)))
    above = ask(CITY, CoverageQuestion(), "coverage")
    staff = signed_in(app, add(app, "chief", "supervisor", HERE))
    assert "没有任务" in staff.get("/staff/jobs").text
    for hidden in (theirs.id, above.id, 10_000):
        for path in ("", "/state"):
            assert staff.get(f"/staff/jobs/{hidden}{path}").status_code == 404
        assert staff.post(f"/staff/jobs/{hidden}/cancel").status_code == 404
    assert signed_in(app, add(app, "walker", "grid_worker", HERE)).get("/staff/jobs").status_code == 403


def test_who_asked_may_cancel_and_a_guidance_centre_may_look_only(app: APIFlask, ask: Callable[..., Job]) -> None:
    asked = ask()
    centre = signed_in(app, add(app, "centre", "guidance_centre", CITY))
    assert "取消任务" not in centre.get(f"/staff/jobs/{asked.id}").text
    centre.get("/staff/account")
    refused = centre.post(f"/staff/jobs/{asked.id}/cancel")
    assert refused.status_code == 409 and "不能取消" in refused.text
    planner = signed_in(app, add(app, "boss", "planner", CITY))
    assert "取消任务" in planner.get(f"/staff/jobs/{asked.id}").text
    assert planner.post(f"/staff/jobs/{asked.id}/cancel").status_code == 303
    assert job(store_of(app), asked.id).state == "cancelled"
    assert "已取消" in planner.get(f"/staff/jobs/{asked.id}").text


def test_it_reads_well_in_english(app: APIFlask, ask: Callable[..., Job]) -> None:
    asked = ask()
    staff = signed_in(app, add(app, "chief", "supervisor", HERE))
    staff.client.set_cookie("language", "en")
    page = staff.get(f"/staff/jobs/{asked.id}").text
    assert "Begins once the jobs before it have ended" in page and "waiting" in page
    assert ">Jobs</h1>" in staff.get("/staff/jobs").text
