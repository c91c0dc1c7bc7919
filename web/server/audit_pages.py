"""The audit log, for those who may read it: who changed or read what, and whether the log is whole."""

from flask import Blueprint, Flask, render_template, request

from layers.audit import entries
from layers.audit_check import AuditReport, verify
from web.server import staff_frame
from web.server.access import needs, own_store, whole_store
from web.server.language import _
from web.server.limits import limiter
from web.server.sign_in import Answer

PAGE = 100
#: What each action is called; the log keeps the word on the left.
ACTIONS = {
    "sign_in": "登录",
    "sign_in_failed": "登录失败",
    "lock_account": "锁定账号",
    "forget_failures": "登录后清除失败次数",
    "unlock_account": "解除锁定",
    "create_account": "添加账号",
    "change_account": "修改账号",
    "deactivate_account": "停用账号",
    "reactivate_account": "重新启用账号",
    "set_credentials": "修改登录凭证",
    "revoke_session": "退出设备",
    "create_token": "新建令牌",
    "revoke_token": "撤销令牌",
    "receive": "收到报告",
    "move": "办理报告",
    "merge": "合并报告",
    "read_private": "查看隐私部分",
    "read_photo": "查看照片",
    "read_layer": "读取涉及个人的图层",
    "ask_job": "发起分析",
    "cancel_job": "取消分析",
    "read_places": "查看待处理报告的位置",
    "refer": "转介报告",
    "confirm_referral": "确认接收转介",
    "import_layer": "导入图层",
    "open_night": "打开班次",
    "read_night": "查看今晚巡查",
    "read_tracks": "查看班次的轨迹核对",
    "night_assign": "补派街段",
    "night_move": "移动街段",
    "night_remove": "取消街段",
    "night_swap": "互换路线",
    "night_lock": "锁定路线",
    "night_unlock": "解锁路线",
    "night_ill": "登记病假",
    "night_replan": "重新安排",
    "night_persons": "换人巡查",
    "close_night": "收班",
    "reopen_night": "重新打开",
    "night_reason": "说明未巡原因",
    "night_undo": "撤销班次改动",
    "purge": "清除隐私部分",
    "place_again": "重新归入辖区",
    "forget_tracks": "删除到期轨迹",
    "forget_jobs": "删除早已结束的任务",
    "forget_sessions": "删除已结束的登录",
    "forget_uploads": "删除未导入的文件",
    "coarsen_reports": "模糊旧报告的位置",
    "create_scenario": "新建情景",
    "change_scenario": "修改情景",
}

pages = Blueprint("audit", __name__, url_prefix="/staff/audit")
staff_frame.dress(pages)


@pages.get("")
@needs("read_audit")
def log() -> Answer:
    """List what was done in one's own area and below, newest first."""
    return _page(None)


@pages.post("/check")
@limiter.limit("6 per minute")
@needs("read_audit")
def check() -> Answer:
    """Walk the whole chain and say whether anything was changed, dropped or reordered."""
    # the chain runs through every area; only its length, its last hash and the numbers of faulty entries are shown
    return _page(verify(whole_store()))


def _page(checked: AuditReport | None) -> Answer:
    wanted = {name: request.args.get(name, "").strip() for name in ("action", "object")}
    person, before = request.args.get("account", type=int), request.args.get("before", type=int)
    found = entries(own_store(), limit=PAGE + 1, before=before, account_id=person, **wanted)
    return render_template(
        "staff/audit.html", title=_("操作记录"), entries=found[:PAGE], more=len(found) > PAGE, checked=checked,
        actions=ACTIONS,
        wanted={**wanted, "account": person or ""},
    )  # fmt: skip


def register(app: Flask) -> None:
    """Add the audit log to the application."""
    app.register_blueprint(pages)
