"""Who may do what: roles, their permissions, and the permission each layer of the city asks for.

Where an account may do it is not said here: that is its area (``layers.scope``). Its tier is the level of its area.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from gis.errors import RecordError
from layers.codes import Level, level_of
from layers.records import LAYERS


class Words(NamedTuple):
    """One thing's name in both languages."""

    zh: str
    en: str


class NotAllowedError(RecordError):
    """Somebody asked for what their role does not permit."""


ROLES: Mapping[str, Words] = MappingProxyType(
    {
        "planner": Words("规划人员", "planner"),
        "supervisor": Words("督导员", "supervisor"),
        "grid_worker": Words("网格员", "grid worker"),
        "guidance_centre": Words("指导中心", "guidance centre"),
        "partner": Words("协作单位", "partner"),
        "administrator": Words("管理员", "administrator"),
    }
)

PERMISSIONS: Mapping[str, Words] = MappingProxyType(
    {
        "read_layers": Words("查看规划图层", "read the planning layers"),
        "read_roster": Words("查看人员名册", "read the roster"),
        "read_history": Words("查看历次发现报告的位置", "read where people were found"),
        "read_reports": Words("查看报告的清单和状态", "read the list and state of reports"),
        "read_private": Words(
            "查看报告的联系方式、说明、照片和准确位置", "read a report's contact, note, photo and place"
        ),
        "work_reports": Words("办理分到名下的报告", "work on reports assigned to oneself"),
        "direct_reports": Words("核实、指派、合并和办结报告", "verify, assign, merge and close reports"),
        "refer": Words("转介", "make referrals"),
        "confirm_referral": Words("确认接收转介", "confirm the receipt of referrals"),
        "direct_patrol": Words("安排和改动巡查", "arrange and change patrols"),
        "walk_patrol": Words("执行巡查、上传轨迹", "walk a patrol and send its track"),
        "read_results": Words("查看分析结果", "read the results of analyses"),
        "plan_city": Words("编制方案、发起分析", "draw up scenarios and start analyses"),
        "import_layers": Words("导入图层", "import layers"),
        "manage_accounts": Words("管理账号", "manage accounts"),
        "read_audit": Words("查看操作记录", "read the audit log"),
    }
)

#: The least each role needs. An administrator gives rights but sees no report; a guidance centre counts and follows
#: states but sees nobody's contact or place; a partner sees only the referrals made to it.
ROLE_PERMISSIONS: Mapping[str, frozenset[str]] = MappingProxyType({
    "planner": frozenset({"read_layers", "read_results", "plan_city", "import_layers"}),
    "supervisor": frozenset({
        "read_layers", "read_roster", "read_history", "read_reports", "read_private",
        "work_reports", "direct_reports", "refer", "confirm_referral", "direct_patrol", "read_results",
    }),
    "grid_worker": frozenset({"read_layers", "read_reports", "read_private", "work_reports", "refer", "walk_patrol"}),
    "guidance_centre": frozenset({"read_layers", "read_results", "read_reports", "read_audit"}),
    "partner": frozenset({"confirm_referral"}),
    "administrator": frozenset({"manage_accounts", "read_audit"}),
})  # fmt: skip

#: What it takes to read each layer; None: everybody may, but points withheld only with ``read_layers``.
LAYER_PERMISSIONS: Mapping[str, str | None] = MappingProxyType(
    {
        **dict.fromkeys(LAYERS, "read_layers"),
        **dict.fromkeys(("streets", "areas", "service-points", "rescue-stations", "calendar")),
        "reports": "read_history",
        "roster": "read_roster",
    }
)


def tier_of(area_code: str) -> Level:
    """Return the tier of an account that belongs to ``area_code``; raises RecordError on a code of no area."""
    return level_of(area_code)


def may(role: str, permission: str) -> bool:
    """Tell whether ``role`` has ``permission``; KeyError on a permission there is not, False for a role there is not.

    >>> may("partner", "read_reports"), may("supervisor", "refer")
    (False, True)
    """
    if permission not in PERMISSIONS:
        raise KeyError(permission)
    return permission in ROLE_PERMISSIONS.get(role, frozenset())


def require(role: str, permission: str) -> None:
    """Raise NotAllowedError unless ``role`` has ``permission``."""
    if not may(role, permission):
        zh, en = PERMISSIONS[permission]
        raise NotAllowedError(f"本账号的角色不能{zh}", f"this account's role may not {en}")


def about_people(layer: str) -> bool:
    """Tell whether a layer says where people are or were, so that every reading of it is written down."""
    return LAYER_PERMISSIONS[layer] not in (None, "read_layers")


def may_read_layer(role: str | None, layer: str) -> bool:
    """Tell whether ``role`` (None: the public) may read ``layer``; KeyError on a layer there is not."""
    wanted = LAYER_PERMISSIONS[layer]
    return wanted is None or (role is not None and may(role, wanted))
