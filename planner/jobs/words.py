"""What the steps of a job, and what its search is doing, are called."""

from collections.abc import Mapping
from types import MappingProxyType

from layers.roles import Words

STEPS: Mapping[str, Words] = MappingProxyType({
    "streets": Words("读取街面路网", "reading the streets"),
    "areas": Words("读取辖区", "reading the areas"),
    "points": Words("读取服务点", "reading the service points"),
    "population": Words("读取人口", "reading the population"),
    "reports": Words("读取发现报告", "reading the discovery reports"),
    "coverage": Words("计算覆盖", "measuring coverage"),
    "siting": Words("求最优选址", "looking for the best sites"),
    "patrol": Words("排巡查路线", "planning the patrol routes"),
    "hotspots": Words("分析热点", "analysing hotspots"),
    "reading": Words("读取轨迹", "reading the tracks"),
    "duty": Words("剔除值班时间以外的点", "leaving out points off duty"),
    "datum": Words("判别坐标系", "telling the datum"),
    "noise": Words("估计定位误差", "measuring the noise"),
    "screening": Words("核查疑点", "screening"),
    "matching": Words("匹配到街面", "matching to the streets"),
    "comparing": Words("与计划比较", "comparing with the plan"),
    "keeping": Words("保存结果", "keeping the result"),
    "waiting": Words("排队", "waiting"),
    "routes": Words("推算各组时间", "reckoning every crew's time"),
})  # fmt: skip
#: What searches say they do; what is not here are dates, counts and names of methods, which say themselves.
DOINGS: Mapping[str, Words] = MappingProxyType({
    "searching good plans": Words("寻找好方案", "searching good plans"),
    "searching for better sites": Words("寻找更好的点位", "searching for better sites"),
    "bounding what sites could cover": Words("证明最多能覆盖多少", "bounding what sites could cover"),
    "bounding the share of the worst served": Words("证明最弱处最多能到多少", "bounding the share of the worst served"),
    "proving that fewer sites do not do": Words("证明更少的点位不够", "proving that fewer sites do not do"),
    "p-median": Words("求平均距离最短的点位", "p-median"),
    "p-center": Words("求最远距离最短的点位", "p-center"),
    "explaining": Words("说明每个点的理由", "explaining each site"),
    "before and after": Words("比较方案前后", "comparing before and after"),
    "covering everything": Words("求全部覆盖的费用", "covering everything"),
    "tracing the frontier": Words("求权衡曲线", "tracing the frontier"),
    "cover sets": Words("整理可达关系", "laying out who reaches what"),
    "branch": Words("分支求解", "branching"),
    "bound": Words("推算上限", "bounding"),
    "cells": Words("按格网计算", "cell by cell"),
    "streets": Words("按街面计算", "street by street"),
    "rates": Words("估计发现率", "estimating rates"),
    "density": Words("计算密度", "measuring density"),
})  # fmt: skip


def step_words(step: str) -> Words:
    """Return what a step is called; its own word where it has no other name."""
    return STEPS.get(step, Words(step, step))


def doing_words(doing: str) -> Words:
    """Return what a search is doing, in words."""
    return DOINGS.get(doing, Words(doing, doing))
