"""Jobs: asked once, claimed once, seen from their area, ended by whom they belong to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread

import pandas as pd
import pytest

from gis.errors import QuestionError
from layers.accounts import Account, NewAccount, create_account
from layers.audit import entries
from layers.job_queue import MOST_ATTEMPTS, STALE, JobLostError, beat, claim, finish, queued, requeue
from layers.job_rows import JobProgress
from layers.jobs import JOB_KINDS, MOST_OPEN, UnknownJobError, ask_job, cancel_job, job, job_lines, jobs
from layers.roles import NotAllowedError
from layers.run import Run
from layers.scope import Scope
from layers.store import Store, UnknownRunError
from planner.runs import software
from tests.layers.conftest import CITY, TABLES

NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)
DISTRICT, SUBDISTRICT, OTHER = "320102000000", "320102002000", "320102003000"
ASKED = {"thresholds_s": [300]}


@pytest.fixture
def city(store: Store) -> Store:
    for part in ("city", "subdistrict"):
        store.import_layer("areas", part, TABLES["areas", part](), source="f", sha256="0" * 64, now=NOW)
    return store


@pytest.fixture
def account(city: Store) -> Callable[..., Account]:
    def make(role: str, area: str) -> Account:
        new = NewAccount(f"{role}{area}", role, role, area, "hash", f"{role}{area}")
        return create_account(city, new, by=None, now=NOW)

    return make


@pytest.fixture
def planner(account: Callable[..., Account]) -> Account:
    return account("planner", CITY)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def alive(worker: str) -> bool:
    return False


def test_the_same_question_is_queued_once(city: Store, planner: Account) -> None:
    first = ask_job(city, "coverage", ASKED, by=planner, now=NOW)
    assert (first.state, first.area_code, first.account_id, first.parameters) == ("queued", CITY, planner.id, ASKED)
    assert ask_job(city, "coverage", dict(ASKED), by=planner, now=later(5)).id == first.id
    assert ask_job(city, "coverage", {"thresholds_s": [600]}, by=planner, now=later(5)).id != first.id
    assert ask_job(city, "siting", ASKED, by=planner, now=later(5)).id != first.id
    assert queued(city) == [one.id for one in reversed(jobs(city))]


def test_one_account_cannot_fill_the_queue(city: Store, planner: Account, account: Callable[..., Account]) -> None:
    asked = [ask_job(city, "coverage", {"thresholds_s": [n]}, by=planner, now=NOW) for n in range(MOST_OPEN)]
    with pytest.raises(QuestionError, match="not over"):
        ask_job(city, "coverage", {"thresholds_s": [999]}, by=planner, now=NOW)
    assert ask_job(city, "coverage", {"thresholds_s": [3]}, by=planner, now=NOW).id == asked[3].id
    ask_job(city, "coverage", {"thresholds_s": [999]}, by=account("planner", DISTRICT), now=NOW)
    cancel_job(city, asked[0].id, by=planner, now=NOW)
    ask_job(city, "coverage", {"thresholds_s": [1000]}, by=planner, now=NOW)


def test_who_may_ask_is_told_by_the_kind(city: Store, account: Callable[..., Account]) -> None:
    for role in ("planner", "supervisor", "grid_worker", "guidance_centre", "administrator"):
        by = account(role, CITY)
        for kind, (_, _, needs) in JOB_KINDS.items():
            if any(by.may(permission) for permission in needs):
                assert ask_job(city, kind, {"x": role}, by=by, now=NOW).kind == kind
            else:
                with pytest.raises(NotAllowedError):
                    ask_job(city, kind, {"x": role}, by=by, now=NOW)
    with pytest.raises(QuestionError):
        ask_job(city, "unheard", {}, by=by, now=NOW)


def test_a_question_stays_inside_the_area_of_who_asks(city: Store, account: Callable[..., Account]) -> None:
    by = account("planner", SUBDISTRICT)
    own = city.within(Scope.of(SUBDISTRICT))
    assert ask_job(own, "siting", {"within": [SUBDISTRICT]}, by=by, now=NOW).area_code == SUBDISTRICT
    for within in ([], [OTHER], [SUBDISTRICT, OTHER], [DISTRICT], ["甲街道"]):
        with pytest.raises(QuestionError):
            ask_job(own, "siting", {"within": within}, by=by, now=NOW)
    assert ask_job(own, "coverage", ASKED, by=by, now=NOW).state == "queued"  # its rows are seen as far as the area
    with pytest.raises(QuestionError):
        ask_job(own, "coverage", {**ASKED, "scenario": 99}, by=by, now=NOW)
    foreign = city.save_run(Run("siting", {"within": [OTHER]}, {}), now=NOW)
    with pytest.raises(QuestionError):
        ask_job(own, "coverage", {**ASKED, "plan": foreign.id}, by=by, now=NOW)


def test_a_night_is_planned_again_for_own_crews_and_reports_alone(
    city: Store, account: Callable[..., Account]
) -> None:  # fmt: skip
    by = account("supervisor", SUBDISTRICT)
    own = city.within(Scope.of(SUBDISTRICT))
    crews = pd.DataFrame({"date": "2026-03-01", "crew": ["C01", "C02"], "persons": ["甲", "乙"],
                          "home": [SUBDISTRICT, OTHER]})  # fmt: skip
    night = city.save_run(Run("patrol", {}, {}, {"crews": crews}), now=NOW)
    asked = {"run": night.id, "ill": ["C01"], "reports": [[118.785, 32.045]]}
    assert ask_job(own, "replan", asked, by=by, now=NOW).state == "queued"
    for change in ({"ill": ["C02"]}, {"reports": [[118.795, 32.045]]}, {"reports": [[118.785, 32.045], [0.0, 0.0]]}):
        with pytest.raises(QuestionError):
            ask_job(own, "replan", {**asked, **change}, by=by, now=NOW)
    with pytest.raises(UnknownRunError):
        ask_job(own, "replan", {**asked, "run": "0" * 12}, by=by, now=NOW)


def test_jobs_are_seen_from_their_area_and_above(city: Store, account: Callable[..., Account]) -> None:
    high, low = account("planner", CITY), account("planner", SUBDISTRICT)
    inside = city.within(Scope.of(SUBDISTRICT))
    theirs = ask_job(city, "coverage", ASKED, by=high, now=NOW)
    mine = ask_job(inside, "coverage", ASKED, by=low, now=NOW)
    assert mine.id != theirs.id  # the city's own job is not seen from here
    assert [one.id for one in jobs(inside)] == [mine.id]
    assert [one.id for one in jobs(city.within(Scope.of(CITY)))] == [mine.id, theirs.id]
    outside = city.within(Scope.of(OTHER))
    assert jobs(outside) == []
    for hidden, scoped in ((mine.id, outside), (theirs.id, inside)):
        for call in (job, job_lines):
            with pytest.raises(UnknownJobError):
                call(scoped, hidden)
        with pytest.raises(UnknownJobError):
            cancel_job(scoped, hidden, by=low, now=NOW)


def test_lists_are_by_kind_state_and_page(city: Store, planner: Account) -> None:
    ids = [ask_job(city, kind, {"n": n}, by=planner, now=NOW).id for n in range(3) for kind in ("coverage", "siting")]
    cancel_job(city, ids[0], by=planner, now=NOW)
    assert [one.id for one in jobs(city, kinds=["siting"])] == ids[5::-2]
    assert [one.id for one in jobs(city, states=["cancelled"])] == ids[:1]
    assert [one.id for one in jobs(city, limit=2, before=ids[3])] == [ids[2], ids[1]]


def test_asking_and_cancelling_are_in_the_audit_log(city: Store, planner: Account) -> None:
    made = ask_job(city, "coverage", ASKED, by=planner, now=NOW)
    ask_job(city, "coverage", ASKED, by=planner, now=NOW)
    cancel_job(city, made.id, by=planner, now=later(1))
    cancel_job(city, made.id, by=planner, now=later(2))
    log = [(one.action, one.account_id, one.detail) for one in entries(city, object=f"job:{made.id}")]
    assert log == [("cancel_job", planner.id, {"kind": "coverage"}), ("ask_job", planner.id, {"kind": "coverage"})]


def test_two_claimers_at_the_same_moment_get_it_once(city: Store, store_url: str, planner: Account) -> None:
    ids = [ask_job(city, "coverage", {"n": n}, by=planner, now=NOW).id for n in range(8)]
    ready, got = Barrier(4), []

    def work(name: str) -> None:
        own = Store(store_url)
        for job_id in ids:
            ready.wait()
            if claim(own, job_id, worker=name, now=NOW) is not None:
                got.append(job_id)
        own.close()

    threads = [Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == ids
    assert {one.attempts for one in jobs(city)} == {1} and queued(city) == []


def test_two_who_ask_at_the_same_moment_ask_once(city: Store, store_url: str, planner: Account) -> None:
    ready, got = Barrier(4), set()

    def ask() -> None:
        own = Store(store_url)
        for n in range(4):
            ready.wait()
            got.add(ask_job(own, "coverage", {"n": n}, by=planner, now=NOW).id)
        own.close()

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == len(jobs(city)) == 4


def test_a_worker_tells_how_it_goes_and_hears_that_an_end_is_asked_for(city: Store, planner: Account) -> None:
    made = ask_job(city, "siting", {"within": []}, by=planner, now=NOW)
    assert claim(city, made.id, worker="w", now=later(1)).state == "running"
    assert claim(city, made.id, worker="v", now=later(1)) is None
    how = JobProgress("siting", 5, 7, "bounding", 12.5, None)
    assert not beat(city, made.id, worker="w", now=later(2), progress=how)
    assert job(city, made.id).progress == how
    assert cancel_job(city, made.id, by=planner, now=later(3)).state == "running"
    assert beat(city, made.id, worker="w", now=later(4))
    finish(city, made.id, "cancelled", worker="w", now=later(5), progress=how, run_id="abc")
    ended = job(city, made.id)
    assert (ended.state, ended.run_id, ended.ended_at) == ("cancelled", "abc", later(5))
    assert [line.en for line in job_lines(city, made.id)] == ["begun", "cancelled"]


def test_a_failure_is_told_in_both_languages(city: Store, planner: Account) -> None:
    made = ask_job(city, "siting", {"within": []}, by=planner, now=NOW)
    claim(city, made.id, worker="w", now=NOW)
    finish(city, made.id, "failed", worker="w", now=NOW, progress=JobProgress("siting"), zh="没有街道", en="no streets")
    ended = job(city, made.id)
    assert (ended.zh, ended.en, ended.progress.step) == ("没有街道", "no streets", "siting")
    assert ask_job(city, "siting", {"within": []}, by=planner, now=NOW).id != made.id  # it may be tried again


def test_a_silent_worker_loses_its_job_and_can_no_longer_end_it(city: Store, planner: Account) -> None:
    made = ask_job(city, "siting", {"within": []}, by=planner, now=NOW)
    claim(city, made.id, worker="w", now=NOW)
    requeue(city, now=NOW + STALE, is_dead=alive)
    assert job(city, made.id).state == "running"
    requeue(city, now=NOW + STALE + timedelta(seconds=1), is_dead=alive)
    assert queued(city) == [made.id]
    for call in (beat, lambda *a, **k: finish(*a, "done", progress=JobProgress(), run_id="x", **k)):
        with pytest.raises(JobLostError):
            call(city, made.id, worker="w", now=later(99))
    assert claim(city, made.id, worker="v", now=later(100)).attempts == 2


def test_a_dead_workers_job_waits_again_until_it_was_tried_often_enough(city: Store, planner: Account) -> None:
    made = ask_job(city, "siting", {"within": []}, by=planner, now=NOW)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert claim(city, made.id, worker=f"w{attempt}", now=later(attempt)).attempts == attempt
        requeue(city, now=later(attempt), is_dead=lambda worker: False)
        assert job(city, made.id).state == "running"
        requeue(city, now=later(attempt), is_dead=lambda worker, n=attempt: worker == f"w{n}")
    ended = job(city, made.id)
    assert ended.state == "failed" and "3" in ended.en and "3" in ended.zh and queued(city) == []


def test_a_dead_workers_job_is_not_begun_again_once_its_end_was_asked_for(city: Store, planner: Account) -> None:
    made = ask_job(city, "siting", {"within": []}, by=planner, now=NOW)
    claim(city, made.id, worker="w", now=NOW)
    cancel_job(city, made.id, by=planner, now=NOW)
    requeue(city, now=NOW, is_dead=lambda worker: True)
    assert job(city, made.id).state == "cancelled"


def test_an_answer_counts_until_records_change(city: Store, planner: Account) -> None:
    made = ask_job(city, "coverage", ASKED, by=planner, now=later(1))
    claim(city, made.id, worker="w", now=later(2))
    run = city.save_run(Run("coverage", ASKED, {}, software=software()), now=later(3))
    finish(city, made.id, "done", worker="w", now=later(3), progress=JobProgress(), run_id=run.id)
    assert ask_job(city, "coverage", ASKED, by=planner, now=later(4)).id == made.id
    weather = TABLES["weather", ""]()
    city.import_layer("weather", "", weather, source="f", sha256="0" * 64, now=later(5))
    assert ask_job(city, "coverage", ASKED, by=planner, now=later(6)).id != made.id


def test_others_jobs_are_cancelled_only_by_who_may_ask_for_such(city: Store, account: Callable[..., Account]) -> None:
    planner, supervisor, centre = (account(role, CITY) for role in ("planner", "supervisor", "guidance_centre"))
    made = ask_job(city, "coverage", ASKED, by=planner, now=NOW)
    for by in (supervisor, centre):
        with pytest.raises(NotAllowedError):
            cancel_job(city, made.id, by=by, now=NOW)
    night = ask_job(city, "patrol", {"within": []}, by=supervisor, now=NOW)
    assert cancel_job(city, night.id, by=planner, now=NOW).state == "cancelled"
