"""Why a row is left out: stable codes with one sentence each in Chinese and English."""

from collections.abc import Mapping
from types import MappingProxyType

#: Codes never change their meaning; sentences may be reworded. {field}: the column, {value} what is in it.
REASONS: Mapping[str, tuple[str, str]] = MappingProxyType({
    "missing_value": ("缺少必填项：{field_zh}", "required value missing: {field}"),
    "bad_number": ("{field_zh}不是数字：{value}", "{field} is not a number: {value}"),
    "negative": ("{field_zh}不能小于 {lowest}：{value}", "{field} must not be below {lowest}: {value}"),
    "too_large": ("{field_zh}不能大于 {highest}：{value}", "{field} must not be above {highest}: {value}"),
    "bad_date": ("{field_zh}不是日期或时间：{value}", "{field} is not a date or time: {value}"),
    "future_date": ("{field_zh}晚于今天：{value}", "{field} lies in the future: {value}"),
    "date_order": ("结束日期早于开始日期", "the end date lies before the start date"),
    "unknown_word": ("{field_zh}的取值无法识别：{value}", "{field} holds an unknown word: {value}"),
    "bad_hours": ("看不懂的开放时间：{value}", "cannot read the opening hours: {value}"),
    "bad_time": ("{field_zh}不是时刻：{value}（例：21:00）", "{field} is not a time of day: {value}"),
    "bad_shift": ("{field_zh}不是班次：{value}（例：20:00-24:00）", "{field} is not a shift: {value}"),
    "bad_code": ("区划代码无效：{value}", "not a valid area code: {value}"),
    "wrong_level": ("代码层级不符：{value}", "the code belongs to another level: {value}"),
    "wrong_community": ("网格代码与所属社区不一致：{value}", "the grid cell's code is not of its community: {value}"),
    "duplicate_code": ("{field_zh}重复：{value}", "{field} occurs before in this file: {value}"),
    "duplicate_row": ("与前面的一行完全相同", "identical to a row before it"),
    "no_coordinates": ("缺少坐标", "coordinates are missing"),
    "no_place": ("既无坐标也无区划代码", "neither coordinates nor an area code"),
    "no_duty_place": ("既无路段编号、区划代码，也无坐标", "neither a segment, an area code nor coordinates"),
    "no_geometry": ("缺少几何图形", "the geometry is missing or empty"),
    "wrong_geometry": ("几何类型不符，应为{expected_zh}", "wrong kind of geometry, expected a {expected}"),
    "invalid_geometry": ("几何图形无效且无法修复", "the geometry is invalid and cannot be repaired"),
    "bad_coordinates": ("坐标不是有效的经纬度", "the coordinates are no longitude and latitude"),
    "outside_city": ("在城市边界之外", "outside the city's boundary"),
})  # fmt: skip
