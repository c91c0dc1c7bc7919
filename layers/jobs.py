"""Long work that somebody asked for: its question, its state, how far it has come, and the run it ended with.

A job lies in the area of whoever asked. Whoever sees that area sees the job; its run is seen as far as the own area
reaches (``layers.run_scope``). What the runner does with jobs is in ``layers.job_queue``.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from importlib import metadata
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select, text, update

from gis.errors import QuestionError, RecordError
from layers.accounts import Account
from layers.audit import append
from layers.job_rows import Job, JobLine, job_of
from layers.moments import aware, stored
from layers.roles import NotAllowedError, Words
from layers.run_scope import Area, is_seen, narrowing
from layers.schema import JOB, JOB_LINE, LAYER_VERSION, RUN
from layers.scope import Scope, seen
from layers.store import Store

__all__ = ["JOB_KINDS", "JOB_STATES", "Job", "JobLine", "ask_job", "cancel_job", "job", "job_lines", "jobs"]


class JobKind(NamedTuple):
    """One kind of long work: its name in both languages, and the permissions of which one lets somebody ask."""

    zh: str
    en: str
    needs: tuple[str, ...]


_PLANS, _BOTH, _DIRECTS = ("plan_city",), ("plan_city", "direct_patrol"), ("direct_patrol",)
JOB_KINDS: Mapping[str, JobKind] = MappingProxyType({
    "coverage": JobKind("覆盖分析", "coverage", _PLANS),
    "siting": JobKind("选址", "siting", _PLANS),
    "patrol": JobKind("巡查排班", "patrol plan", _BOTH),
    "replan": JobKind("当晚改派", "patrol planned again", _DIRECTS),
    "night-tracks": JobKind("当晚轨迹核对", "tracks of a night", _DIRECTS),
    "hotspot-map": JobKind("热点图", "hotspot map", _BOTH),
    "hotspot-scan": JobKind("聚集检验", "hotspot scan", _PLANS),
    "hotspot-emerging": JobKind("热点变化", "emerging hotspots", _PLANS),
    "hotspot-forecast": JobKind("下周预测", "forecast of a week", _BOTH),
    "hotspot-backtest": JobKind("预测检验", "backtest of forecasts", _PLANS),
})  # fmt: skip
JOB_STATES: Mapping[str, Words] = MappingProxyType({
    "queued": Words("排队中", "waiting"),
    "running": Words("进行中", "running"),
    "done": Words("已完成", "done"),
    "failed": Words("失败", "failed"),
    "cancelled": Words("已取消", "cancelled"),
})  # fmt: skip
OPEN = ("queued", "running")
#: So many may one account have open.
MOST_OPEN = 20
#: Kinds that ask about what comes in by the minute: whoever asks again gets a new answer.
LIVE = frozenset({"night-tracks"})


class UnknownJobError(RecordError):
    """There is no such job, or none the caller may see."""


def ask_job(store: Store, kind: str, parameters: Mapping[str, Any], *, by: Account, now: datetime) -> Job:
    """Queue a question, or return the job that asks the same already: one that waits, runs, or has the answer.

    parameters : the question's, JSON values. An answer counts until records are imported or tracks matched.
    Raises NotAllowedError on a kind not for the role of ``by``, QuestionError on no kind and on a question that reaches
    beyond the area of ``by``, or on more than MOST_OPEN open jobs, UnknownRunError on a plan that ``by`` cannot see.
    """
    if kind not in JOB_KINDS:
        raise QuestionError(f"没有这种任务：{kind}", f"there is no job of kind {kind!r}")
    zh, en, needs = JOB_KINDS[kind]
    if not any(by.may(permission) for permission in needs):
        raise NotAllowedError(f"本账号的角色不能发起{zh}", f"this account's role may not start: {en}")
    asked = json.dumps(dict(parameters), ensure_ascii=False, sort_keys=True)
    _refuse_outside(store, json.loads(asked), by)
    with store.transaction(writes=True) as connection:
        if connection.dialect.name == "postgresql":  # so that two who ask at the same moment ask once
            connection.execute(text(f"LOCK TABLE {JOB.name} IN SHARE ROW EXCLUSIVE MODE"))
        same = select(JOB).where(JOB.c.kind == kind, JOB.c.parameters == asked, JOB.c.state.in_((*OPEN, "done")))
        for row in connection.execute(seen(same, JOB, store.scope).order_by(JOB.c.id.desc())):
            if (row.state in OPEN and not row.cancel_asked) or _answers_still(connection, row):
                return job_of(row)
        _refuse_more(connection, by)
        values = {
            "kind": kind, "parameters": asked, "state": "queued", "area_code": by.area_code, "account_id": by.id,
            "created_at": stored(now), "worker": "", "attempts": 0, "cancel_asked": False, "progress": "{}",
        }  # fmt: skip
        made = connection.execute(insert(JOB).values(values).returning(JOB)).one()
        _write_entry(connection, made, "ask_job", by, now)
        return job_of(made)


def job(store: Store, job_id: int) -> Job:
    """Return one job; raises UnknownJobError where there is none inside the store's scope."""
    with store.transaction() as connection:
        return job_of(_row(connection, store, job_id))


def jobs(
    store: Store,
    *,
    kinds: Collection[str] = (),
    states: Collection[str] = (),
    limit: int = 50,
    before: int | None = None,
) -> list[Job]:
    """Return jobs inside the store's scope, newest first. before : the id of the last job of the page before."""
    query = seen(select(JOB), JOB, store.scope).order_by(JOB.c.id.desc()).limit(limit)
    for column, wanted in ((JOB.c.kind, kinds), (JOB.c.state, states)):
        query = query.where(column.in_(wanted)) if wanted else query
    if before is not None:
        query = query.where(JOB.c.id < before)
    with store.transaction() as connection:
        return [job_of(row) for row in connection.execute(query)]


def job_lines(store: Store, job_id: int) -> list[JobLine]:
    """Return a job's log, oldest line first; raises UnknownJobError."""
    with store.transaction() as connection:
        _row(connection, store, job_id)
        query = select(JOB_LINE).where(JOB_LINE.c.job_id == job_id).order_by(JOB_LINE.c.id)
        return [JobLine(aware(row.at), row.zh, row.en) for row in connection.execute(query)]


def cancel_job(store: Store, job_id: int, *, by: Account, now: datetime) -> Job:
    """End a job that waits, and ask one that runs to end soon; one that has ended stays as it is.

    Raises NotAllowedError where ``by`` neither asked for it nor may ask for its kind, UnknownJobError.
    """
    with store.transaction(writes=True) as connection:
        row = _row(connection, store, job_id, lock=True)
        needs = JOB_KINDS[row.kind].needs if row.kind in JOB_KINDS else _PLANS
        if row.account_id != by.id and not any(by.may(permission) for permission in needs):
            raise NotAllowedError("本账号不能取消这个任务", "this account may not cancel this job")
        if row.state not in OPEN or row.cancel_asked:
            return job_of(row)
        ended = {"state": "cancelled", "ended_at": stored(now)} if row.state == "queued" else {}
        change = update(JOB).where(JOB.c.id == job_id).values(cancel_asked=True, **ended).returning(JOB)
        changed = connection.execute(change).one()
        _write_entry(connection, changed, "cancel_job", by, now)
        return job_of(changed)


def may_cancel(of: Job, by: Account) -> bool:
    """Tell whether ``by`` could end a job now."""
    needs = JOB_KINDS[of.kind].needs if of.kind in JOB_KINDS else _PLANS
    return of.state in OPEN and not of.cancel_asked and (of.account_id == by.id or any(map(by.may, needs)))


def _row(connection: Connection, store: Store, job_id: int, *, lock: bool = False) -> Any:
    query = seen(select(JOB).where(JOB.c.id == job_id), JOB, store.scope)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise UnknownJobError("没有这个任务，或不在本账号辖区", "there is no such job, or it is not in this area")
    return row


def _write_entry(connection: Connection, row: Any, action: str, by: Account, now: datetime) -> None:
    append(
        connection, at=now, account_id=by.id, action=action, object=f"job:{row.id}", area_code=row.area_code,
        detail={"kind": row.kind},
    )  # fmt: skip


# what may be asked, and what need not be answered again


def _refuse_more(connection: Connection, by: Account) -> None:
    """Raise QuestionError where ``by`` has as many jobs open as one may: the others' jobs wait behind them."""
    own = select(func.count()).where(JOB.c.account_id == by.id, JOB.c.state.in_(OPEN))
    if (connection.scalar(own) or 0) >= MOST_OPEN:
        raise QuestionError(
            f"您已有 {MOST_OPEN} 个任务未完成：请等待或取消一些",
            f"{MOST_OPEN} jobs of yours are not over: wait for some, or cancel them",
        )


def _refuse_outside(store: Store, parameters: Mapping[str, Any], by: Account) -> None:
    """Raise where a question reaches beyond the area of ``by``."""
    own = store.within(Scope.of(by.area_code))
    with own.transaction() as connection:
        scope = narrowing(connection, own.scope)
        if scope is None:
            return
        within = parameters.get("within")
        inside = within is None or (bool(within) and all(scope.holds(str(code)) for code in within))
        spots = parameters.get("reports") or []
        lon, lat = ([float(spot[k]) for spot in spots] for k in (0, 1))
        if not inside or (spots and not Area(connection, scope).holding(lon, lat).all()):
            raise QuestionError(
                "问题超出本账号的辖区：请把范围限定在辖区之内",
                "the question reaches beyond this account's area: keep it inside the area",
            )
        if not is_seen(connection, {**parameters, "replans": parameters.get("run")}, scope):
            raise QuestionError(
                "所引用的方案或结果不在本账号的辖区", "the scenario or the result named is not in this account's area"
            )
    ill = set(parameters.get("ill") or [])
    if ill and not ill <= set(own.run(str(parameters["run"])).tables["crews"]["crew"]):
        raise QuestionError("只能改派本辖区的班组", "only crews of the own area can be taken off their routes")


def _answers_still(connection: Connection, row: Any) -> bool:
    """Tell whether the run a job ended with is kept, whole, of this software, and of records nobody changed since."""
    run = connection.execute(select(RUN).where(RUN.c.id == row.run_id)).one_or_none()
    if (
        row.state != "done"
        or row.kind in LIVE
        or run is None
        or not run.software.endswith(f" {metadata.version('lamplight')}")
    ):
        return False
    if json.loads(run.parameters).get("cancelled"):
        return False
    imported = select(func.count()).where(LAYER_VERSION.c.created_at >= row.started_at)
    matched = select(func.count()).where(RUN.c.kind == "effort", RUN.c.created_at >= row.started_at)
    return not any(connection.scalar(query) for query in (imported, matched))
