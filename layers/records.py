"""What each layer of a city holds: its fields, their kinds, and the column headings they go by. One table drives all.

Reading, validation, the store and exports are all driven by ``LAYERS``; a new field is one line here (and a migration).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gis.errors import RecordError
from layers.codes import LEVELS

#: Kinds of fields. A "choice" is one word of a vocabulary, "choices" a comma list of them in the vocabulary's order;
#: "words" are a comma list of any; a "time" is "21:00" of any day, a "shift" "22:00-02:00", both up to 24:00.
KINDS = (
    "text", "integer", "number", "date", "datetime", "flag", "choice", "choices", "code", "hours", "words", "time",
    "shift",
)  # fmt: skip

#: The column of every layer's table that says in which area a row lies; no field, for nobody imports it.
SCOPE_COLUMN = "scope_code"

FUNCTIONS = ("reception", "reporting", "guidance", "temporary_service")
ALL_FUNCTIONS = ",".join(FUNCTIONS)
#: The layers whose rows are points where people find help, in the order they stand in.
POINT_LAYERS = ("service-points", "rescue-stations")
ALWAYS_OPEN = "24/7"

_FUNCTION_WORDS = {
    "reception": ("接待咨询", "接待", "咨询"),
    "reporting": ("发现报告", "报告"),
    "guidance": ("救助引导", "引导", "引导救助"),
    "temporary_service": ("临时服务", "临时救助", "临时安置", "temporary service"),
}
#: What each function is called in Chinese.
FUNCTION_ZH = {word: spellings[0] for word, spellings in _FUNCTION_WORDS.items()}
_MODE_WORDS = {
    "embedded": ("服务嵌入式", "嵌入式"),
    "merged": ("阵地融合式", "融合式"),
    "joint": ("街社合作式", "合作式"),
}
_STATE_WORDS = {
    "existing": ("现有", "已建", "已有", "建成"),
    "build": ("新建",),
    "convert": ("改建",),
    "upgrade": ("功能提升", "提升", "升级"),
}
_CHANNEL_WORDS = {
    "patrol": ("巡查", "街面巡查", "巡查发现"),
    "hotline": ("热线", "电话", "12345", "110", "热线电话"),
    "public": ("群众", "群众报告", "公众", "市民"),
}
_OUTCOME_WORDS = {
    "informed": ("告知", "已告知", "发放救助卡"),
    "guided": ("引导", "已引导", "引导求助"),
    "escorted": ("护送", "已护送", "护送到站"),
    "referred": ("转介", "已转介", "应急转介"),
    "declined": ("拒绝", "不愿", "拒绝救助", "婉拒"),
}
_ROLE_WORDS = {
    "supervisor": ("督导员", "救助督导员", "街道救助督导员", "街道督导员"),
    "assistant": ("协管员", "救助协管员", "社区救助协管员", "社区协管员"),
    "grid_worker": ("网格员", "网格长", "grid worker"),
}
_TRAVEL_WORDS = {
    "walk": ("步行", "徒步", "走路", "on foot"),
    "ebike": ("电动车", "电动自行车", "电瓶车", "骑行", "e-bike"),
    "drive": ("车辆", "汽车", "机动车", "驾车", "巡逻车", "car", "vehicle"),
}
_DAY_WORDS = {
    short: (f"周{zh}", f"星期{zh}", f"礼拜{zh}", long, *(("周天", "星期天") if short == "Sun" else ()))
    for short, zh, long in (
        ("Mon", "一", "Monday"), ("Tue", "二", "Tuesday"), ("Wed", "三", "Wednesday"), ("Thu", "四", "Thursday"),
        ("Fri", "五", "Friday"), ("Sat", "六", "Saturday"), ("Sun", "日", "Sunday"),
    )
}  # fmt: skip
_WEATHER_WORDS = {
    "mild": ("平常", "一般", "晴", "多云", "阴", "fair"),
    "cold": ("寒冷", "寒潮", "低温", "冷"),
    "hot": ("高温", "炎热", "热"),
    "wet": ("雨雪", "雨", "雪", "雨天", "雪天", "rain", "snow"),
}
_DAY_KIND_WORDS = {
    "holiday": ("放假", "节假日", "假日", "公休日", "休息"),
    "workday": ("调休上班日", "调休上班", "上班", "补班", "make-up workday"),
}
_SIDE_WORDS = {"either": ("单侧", "任一侧", "一侧", "one"), "both": ("双侧", "两侧")}
_TIMES_A_WEEK_WORDS: dict[str, tuple[str, ...]] = {
    str(n): (f"每周{zh}次", f"每周{n}次", f"一周{zh}次", f"一周{n}次", f"{n}次/周", f"{n} times a week")
    for n, zh in enumerate("一二三四五六七", 1)
}
_TIMES_A_WEEK_WORDS["1"] += ("每周", "weekly", "once a week")
_TIMES_A_WEEK_WORDS["2"] += ("每周两次", "一周两次", "twice a week")
_TIMES_A_WEEK_WORDS["7"] += ("每晚", "每夜", "每日", "每天", "nightly", "daily", "every night")


def _vocabulary(words: Mapping[str, tuple[str, ...]]) -> Mapping[str, str]:
    """Return every accepted spelling, normalised, with the word it stands for."""
    spelled = {normalise_word(spelling): word for word, spellings in words.items() for spelling in (word, *spellings)}
    return MappingProxyType(spelled)


def normalise_word(text: object) -> str:
    """Return ``text`` in lower case without spaces, dashes and underscores, for comparison with a vocabulary."""
    return re.sub(r"[\s_\-]+", "", str(text)).lower()


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a layer.

    name, zh : its identifier and its Chinese heading; aliases : other headings it goes by.
    kind : one of KINDS; choices : for "choice" and "choices", every accepted spelling -> word.
    required : whether a row without it is rejected; default : what stands where a value is absent.
    lowest, highest : the least and greatest allowed number; numbers : words that stand for one -> its digits.
    digits : how many a "code" may have (12, 15).
    """

    name: str
    kind: str
    zh: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    default: object = ""
    choices: Mapping[str, str] | None = None
    lowest: float | None = None
    highest: float | None = None
    numbers: Mapping[str, str] | None = None
    digits: tuple[int, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The vocabulary of a "choice" or "choices" field, in its own order."""
        return tuple(dict.fromkeys((self.choices or {}).values()))

    @property
    def may_be_null(self) -> bool:
        """Whether an absent value is kept as none at all, and not as a default."""
        return not self.required and self.default is None


@dataclass(frozen=True, slots=True)
class LayerSchema:
    """One layer: ``name`` as on the command line, its fields, and the geometry each row has.

    geometry : "line", "polygon", "point", "point or none" or "none".
    parts : the versions kept side by side (tiers of areas); ("",) for a layer without parts.
    unique : fields that together name a row; id_prefix : how rows without an id of their own are named.
    """

    name: str
    zh: str
    fields: tuple[Field, ...]
    geometry: str
    unique: tuple[str, ...] = ()
    parts: tuple[str, ...] = ("",)
    id_prefix: str = ""

    @property
    def table_name(self) -> str:
        """The name of its table in the store."""
        return self.name.replace("-", "_")

    @property
    def has_geometry(self) -> bool:
        """Whether rows carry a geometry."""
        return self.geometry != "none"

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of its fields, in order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field:
        """Return the field called ``name``; KeyError if there is none."""
        return next((f for f in self.fields if f.name == name), None) or _no_field(name)


def _no_field(name: str) -> Field:
    raise KeyError(name)


_NAME = Field("name", "text", "名称", ("姓名", "name_zh", "mc", "点位名称", "站名", "服务点名称"))
_PHONE = Field("phone", "text", "电话", ("联系电话", "tel", "telephone", "mobile", "手机"))
_ADDRESS = Field("address", "text", "地址", ("addr", "详细地址", "位置"))
_CAPACITY = Field("capacity", "number", "容量", ("床位", "床位数", "可容纳人数", "beds"), default=None, lowest=0)
_AREA_CODE_ALIASES = (
    "adcode", "code", "代码", "区划代码", "统计用区划代码", "街道代码", "社区代码", "区县代码", "行政区划代码",
    "areacode", "网格代码", "region_code",
)  # fmt: skip
_AREA_NAME_ALIASES = ("name_zh", "mc", "辖区名称", "街道名称", "社区名称", "区县名称", "district")
_FOUND_AT_ALIASES = ("date", "datetime", "time", "时间", "日期", "报告时间", "发现日期")

LAYERS: Mapping[str, LayerSchema] = MappingProxyType({
    schema.name: schema
    for schema in (
        LayerSchema("streets", "街面路段", (
            Field("segment_id", "integer", "路段编号", ("edge_id", "eid"), required=True),
            Field("u", "integer", "起点", required=True),
            Field("v", "integer", "终点", required=True),
            Field("length_m", "number", "长度", ("length",), required=True, lowest=0),
            Field("oneway", "integer", "单行", default=0),
            Field("street_class", "text", "道路等级", ("highway", "class")),
            Field("name", "text", "路名"),
            Field("free_kmh", "number", "自由流速度", ("maxspeed",), default=None, lowest=0),
        ), "line", ("segment_id",)),
        LayerSchema("areas", "辖区", (
            Field("code", "code", "统计用区划代码", _AREA_CODE_ALIASES, required=True, digits=(12,)),
            Field("name", "text", "名称", _AREA_NAME_ALIASES),
            Field("valid_from", "date", "生效日期", ("启用日期",), default=None),
            Field("valid_to", "date", "失效日期", ("停用日期",), default=None),
        ), "polygon", ("code",), tuple(LEVELS)),
        LayerSchema("grid-cells", "网格", (
            Field("code", "code", "网格代码", ("grid_code", "code", "代码", "网格编号"), required=True, digits=(15,)),
            Field("name", "text", "名称", ("网格名称", "mc")),
            Field("community", "code", "社区代码", ("community_code", "所属社区代码"), default=None, digits=(12,)),
        ), "polygon", ("code",)),
        LayerSchema("service-points", "服务点", (
            Field("code", "text", "编号", ("代码", "id", "点位编号", "服务点编号")),
            _NAME,
            Field("functions", "choices", "服务功能", ("功能", "function", "services"), default=ALL_FUNCTIONS,
                  choices=_vocabulary(_FUNCTION_WORDS)),
            Field("hours", "hours", "开放时间", ("opening_hours", "服务时间", "营业时间", "工作时间")),
            Field("operating_mode", "choice", "运行模式", ("mode", "建设模式", "模式"),
                  choices=_vocabulary(_MODE_WORDS)),
            Field("build_state", "choice", "建设状态", ("state", "建设方式", "建设类型", "状态"), default="existing",
                  choices=_vocabulary(_STATE_WORDS)),
            _CAPACITY,
            _PHONE,
            _ADDRESS,
            Field("last_verified", "date", "核实日期", ("verified", "最近核实", "最近核实日期"), default=None),
            Field("withheld", "flag", "不公开", ("hidden", "是否不公开", "保密"), default=False),
        ), "point", ("code",), id_prefix="P"),
        LayerSchema("rescue-stations", "救助站", (
            Field("code", "text", "编号", ("代码", "id", "站编号")),
            _NAME,
            _PHONE,
            _ADDRESS,
            Field("hours", "hours", "开放时间", ("opening_hours", "服务时间", "工作时间"), default=ALWAYS_OPEN),
            _CAPACITY,
            Field("position_note", "text", "位置说明", ("position_precision", "位置精度")),
        ), "point", ("code",), id_prefix="S"),
        LayerSchema("candidates", "候选点", (
            Field("code", "text", "编号", ("代码", "id", "候选点编号")),
            _NAME,
            Field("place", "text", "所在点位", ("site", "点位", "场所")),
            Field("build_state", "choice", "建设方式", ("state", "variant", "建设类型", "建设状态", "方式"),
                  default="build", choices=_vocabulary({k: v for k, v in _STATE_WORDS.items() if k != "existing"})),
            Field("cost", "number", "费用", ("造价", "投资", "budget", "price"), default=None, lowest=0),
            _CAPACITY,
            Field("functions", "choices", "服务功能", ("功能", "function", "services"), default=ALL_FUNCTIONS,
                  choices=_vocabulary(_FUNCTION_WORDS)),
            Field("hours", "hours", "开放时间", ("opening_hours", "服务时间", "营业时间"), default=ALWAYS_OPEN),
        ), "point", ("code",), id_prefix="C"),
        LayerSchema("forbidden-areas", "禁设区", (
            Field("name", "text", "名称", ("mc", "区域名称")),
            Field("reason", "text", "原因", ("why", "说明", "备注")),
        ), "polygon"),
        LayerSchema("population", "人口", (
            Field("people", "number", "人口", ("population", "pop", "常住人口", "resident_pop", "人口数", "总人口",
                  "resident_population"), required=True, lowest=0),
            Field("area_code", "code", "区划代码", _AREA_CODE_ALIASES, default=None, digits=(12, 15)),
        ), "point or none"),
        LayerSchema("reports", "发现报告", (
            Field("report_id", "text", "报告编号", ("id", "编号")),
            Field("found_at", "datetime", "发现时间", _FOUND_AT_ALIASES, required=True, default=None),
            Field("channel", "choice", "渠道", ("source", "来源", "报告渠道", "发现渠道"), default="patrol",
                  choices=_vocabulary(_CHANNEL_WORDS)),
            Field("outcome", "choice", "处置结果", ("result", "结果", "处置"), choices=_vocabulary(_OUTCOME_WORDS)),
            Field("people", "integer", "人数", ("count", "persons", "人员数"), default=1, lowest=0),
        ), "point", ("report_id",), id_prefix="R"),
        LayerSchema("roster", "人员名册", (
            Field("person", "text", "姓名", ("name", "人员", "名字"), required=True),
            Field("role", "choice", "角色", ("岗位", "职务", "身份"), required=True, choices=_vocabulary(_ROLE_WORDS)),
            Field("area_code", "code", "区划代码", _AREA_CODE_ALIASES, required=True, digits=(12, 15)),
            Field("phone", "text", "电话", _PHONE.aliases),
            Field("from_date", "date", "任职日期", ("from", "start", "start_date", "起始日期", "开始日期", "上岗日期"),
                  required=True, default=None),
            Field("until_date", "date", "离任日期", ("until", "end", "to", "end_date", "截止日期", "结束日期"),
                  default=None),
            Field("mode", "choice", "出行方式", ("交通方式", "travel_mode"), default="walk",
                  choices=_vocabulary(_TRAVEL_WORDS)),
            Field("shift", "shift", "班次", ("班次时间", "值班时间", "上班时间")),
            Field("break_min", "number", "休息分钟", ("休息时长", "break"), default=None, lowest=0),
            Field("max_min", "number", "最长分钟", ("最长工时", "工时上限", "max"), default=None, lowest=1),
            Field("station", "text", "驻点编号", ("驻点", "所属站点", "station_code")),
            Field("pair", "text", "搭档组", ("搭档", "小组", "team")),
            Field("certificates", "words", "资质", ("证书", "持证", "certificate")),
            Field("days_off", "choices", "休息日", ("轮休", "休息", "off"), choices=_vocabulary(_DAY_WORDS)),
        ), "none"),
        LayerSchema("patrol-duties", "巡查要求", (
            Field("duty_id", "text", "要求编号", ("id", "编号")),
            Field("segment_id", "integer", "路段编号", ("segment", "路段", "edge_id"), default=None),
            Field("area_code", "code", "区划代码", _AREA_CODE_ALIASES, default=None, digits=(12, 15)),
            Field("name", "text", "名称", ("mc", "点位名称", "路名")),
            Field("times_a_week", "integer", "每周次数", ("频次", "巡查频次", "次数", "frequency"), default=7,
                  numbers=_vocabulary(_TIMES_A_WEEK_WORDS), lowest=1, highest=7),
            Field("priority", "number", "优先级", ("权重", "weight"), default=1.0, lowest=0),
            Field("must", "flag", "必巡", ("是否必巡", "必须"), default=False),
            Field("sides", "choice", "单侧双侧", ("侧", "巡查侧", "side"), default="either",
                  choices=_vocabulary(_SIDE_WORDS)),
            Field("service_kmh", "number", "巡查速度", ("速度", "speed"), default=None, lowest=0.1),
            Field("opens", "time", "时段起", ("开始时间", "from")),
            Field("closes", "time", "时段止", ("结束时间", "until", "to")),
            Field("dwell_min", "number", "停留分钟", ("停留", "停留时间", "dwell"), default=None, lowest=0),
            Field("certificate", "text", "所需资质", ("资质", "certificates")),
        ), "point or none", ("duty_id",), id_prefix="D"),
        LayerSchema("patrol-effort", "巡查量", (
            Field("segment_id", "integer", "路段编号", ("segment", "路段", "edge_id"), required=True),
            Field("walked_from", "date", "巡查起始日期", (
                "date", "日期", "from", "begin", "起始日期", "开始日期", "巡查日期",
            ), required=True, default=None),
            Field("walked_until", "date", "巡查截止日期", ("until", "end", "to", "截止日期", "结束日期"), default=None),
            Field("hours", "shift", "时段", ("班次", "shift", "巡查时段")),
            Field("passes", "number", "巡查遍数", ("遍数", "次数", "巡查次数", "走过次数"), required=True, lowest=0),
        ), "none"),
        LayerSchema("weather", "天气", (
            Field("date", "date", "日期", ("day",), required=True, default=None),
            Field("weather", "choice", "天气类别", ("天气", "class", "类别"), required=True,
                  choices=_vocabulary(_WEATHER_WORDS)),
        ), "none", ("date",)),
        LayerSchema("calendar", "公休日历", (
            Field("date", "date", "日期", ("day",), required=True, default=None),
            Field("kind", "choice", "类型", ("类别", "安排", "type"), required=True,
                  choices=_vocabulary(_DAY_KIND_WORDS)),
            Field("name", "text", "名称", ("节日", "节假日", "holiday", "mc")),
        ), "none", ("date",)),
    )
})  # fmt: skip


def layer_schema(layer: str) -> LayerSchema:
    """Return the schema of ``layer``; raises RecordError naming the layers there are."""
    try:
        return LAYERS[layer]
    except KeyError:
        known = ", ".join(LAYERS)
        raise RecordError(f"未知图层：{layer}（可用：{known}）", f"unknown layer {layer!r}: expected {known}") from None
