"""How the command line speaks: refusals on one line, bars that tell the step, words turned into parameters."""

import json
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date
from math import isfinite
from pathlib import Path
from threading import Event, Thread, current_thread, main_thread
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from gis.errors import LamplightError

if TYPE_CHECKING:
    from layers.store import Store
    from planner.watch import News

DEFAULT_STORE = "sqlite:///lamplight.sqlite"
#: What a person reads beside the bar for each step; a test keeps all steps in it. Other steps are names of files.
STEP_WORDS = {
    "read": "读取文件 reading the file",
    "validate": "核对各行 checking the rows",
    "store": "写入数据库 storing",
    "streets": "街面路网 streets",
    "people": "人口 people",
    "areas": "辖区 areas",
    "services": "服务点 service points",
    "points": "服务点 service points",
    "population": "人口 population",
    "reports": "发现报告 discovery reports",
    "roster": "人员名册 roster",
    "candidates": "候选点 candidates",
    "duties": "巡查要求 patrol duties",
    "siting": "选址（Ctrl-C 保留当前最好方案） siting (Ctrl-C keeps the best plan so far)",
    "hotspots": "分析热点（首次运行须先编译） hotspots (compiles on first run)",
    "patrol": "排巡查路线（Ctrl-C 保留当前最好方案） patrol routes (Ctrl-C keeps the best so far)",
    "reading": "读取轨迹 reading the tracks",
    "duty": "剔除值班时间外的点 leaving out points off duty",
    "datum": "判别坐标系 telling the datum",
    "noise": "估计定位误差 measuring the noise",
    "screening": "核查疑点 screening",
    "matching": "匹配到街面 matching to streets",
    "comparing": "与计划比较 comparing with the plan",
    "loading": "启动服务 starting the server",
    "city": "读取城市，推算步行时间 reading the city and its walking times",
    "coverage": "计算覆盖（首次运行须先编译） coverage (compiles on first run)",
    "keeping": "保存结果 keeping the result",
    "tiles": "地图瓦片 map tiles",
    "night": "今晚巡查 tonight's patrol",
}
_REDRAWN_EVERY_S = 0.5


class OneLineGroup(click.Group):
    """A group whose every wrong input is one line on standard error and exit code 2."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **kwargs: Any) -> Any:  # click's own signature
        """Run a command; turn what a user can mend into one line, never a traceback."""
        kwargs["standalone_mode"] = False
        given = sys.argv[1:] if args is None else args
        if any("\udc80" <= mark <= "\udcff" for word in given for mark in word):  # bytes Python could not read
            fail("命令中有非 UTF-8 字符（请改用 UTF-8 文件名与环境）", "a word of the command is not UTF-8 text", 2)
        try:
            sys.exit(super().main(args, *rest, **kwargs) or 0)
        except click.exceptions.Abort:
            fail("已取消", "cancelled", 130)
        except click.ClickException as error:
            said = error.format_message()
            fail("" if any("\u4e00" <= mark <= "\u9fff" for mark in said) else "命令或选项有误", said, 2)
        except LamplightError as error:
            fail(error.zh, error.en, 2)
        except OSError as error:
            fail("文件或磁盘错误", f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), 2)


def fail(zh: str, en: str, code: int) -> None:
    """Say what is wrong on one line of standard error, and exit."""
    text = " / ".join(part for part in (zh, en) if part)
    click.echo(f"lamplight: {' '.join(text.split())}", err=True)
    sys.exit(code)


def say(values: dict[str, Any], as_json: bool, text: str) -> None:
    """Print one JSON object for machines, or the text."""
    click.echo(json.dumps(values, ensure_ascii=False, indent=2) if as_json else text)


def list_files(paths: Sequence[Path]) -> None:
    """Name the files written, if any."""
    if paths:
        click.echo("文件 / files: " + " ".join(str(path) for path in paths))


def day(text: str | None) -> date | None:
    """Return a date such as 2026-01-31, None for None. Raises BadParameter on anything else."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"日期应为 2026-01-31 的写法 / expected a date like 2026-01-31, got {text!r}"
        ) from None


def place(store: "Store") -> None:
    """Put the records on the streets and the city on the map now, as the last step of an import: no one waits later."""
    from planner.runs import PLACE_STEPS, city_tiles, place_records

    if ("streets", "") in store.current():
        with Progress(PLACE_STEPS) as progress:
            place_records(store, progress=progress)
            progress("tiles")
            city_tiles(store)


def pairs(columns: tuple[str, ...]) -> dict[str, str]:
    """Return field -> heading of words such as "name=街道". Raises BadParameter on any other word."""
    bad = [pair for pair in columns if "=" not in pair]
    if bad:
        raise click.BadParameter(f"应写作 字段=列名 / expected FIELD=HEADING, got {bad[0]!r}", param_hint="--column")
    return dict(pair.split("=", 1) for pair in columns)


class Progress:
    """A bar on standard error, drawn on terminals only; handed down as a callable that is told each step's name."""

    def __init__(self, steps: Sequence[str], doing: str = "") -> None:
        self._steps, self._doing = list(steps), doing
        self._bar = tqdm(
            total=len(self._steps),
            leave=False,
            disable=None,
            bar_format="{bar:24} {percentage:3.0f}% {elapsed} {desc}{postfix}",
        )
        self._done = Event()
        if not self._bar.disable:  # a clock that stands still looks like a program that does
            Thread(target=self._redraw, daemon=True).start()

    def __call__(self, step: str) -> None:
        """Show that ``step`` has begun."""
        self._bar.n = self._steps.index(step)
        self._bar.set_description_str(f"{self._doing} {STEP_WORDS.get(step, step)}".strip())

    def hear(self, news: "News") -> None:
        """Show how a search stands: the best value found, the bound proven."""
        figures = f"{news.value:,.6g} | {news.bound:,.6g}" if isfinite(news.value) and isfinite(news.bound) else ""
        self._bar.set_postfix_str(" ".join(filter(None, (news.doing, figures))), refresh=False)

    def _redraw(self) -> None:
        while not self._done.wait(_REDRAWN_EVERY_S):
            self._bar.refresh()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._bar.close()


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what every verb takes: the store's address and the switch for machines."""
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")(command)
    return click.option(
        "--db", envvar="LAMPLIGHT_DB", default=DEFAULT_STORE, show_default=True, metavar="URL",
        help="The city's store: sqlite:///FILE or postgresql://USER@HOST/NAME (or LAMPLIGHT_DB).",
    )(command)  # fmt: skip


class Interrupt:
    """While in force, the first Ctrl-C asks the search to end with what it has; a second one ends the program."""

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def is_set(self) -> bool:
        """Tell whether the user asked for an end."""
        return self._asked

    def __enter__(self) -> "Interrupt":
        if current_thread() is main_thread():
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _hear(self, *_: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


class Numbers(click.ParamType):
    """Whole numbers such as "3,3,4"."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(int(part) for part in str(value).replace("，", ",").split(",") if part.strip())
        except ValueError:
            self.fail(f"应为以逗号分隔的整数 / expected whole numbers parted by commas, got {value!r}", param, ctx)


class Shares(click.ParamType):
    """Kinds with weights, such as "people=0.6,reports=0.4"; a kind alone weighs 1."""

    name = "shares"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[str, float], ...]:
        """Return (kind, weight) pairs in the order given."""
        if isinstance(value, tuple):
            return value
        try:
            pairs = (part.partition("=") for part in str(value).replace("，", ",").split(","))
            return tuple((kind.strip(), float(weight) if sign else 1.0) for kind, sign, weight in pairs)
        except ValueError:
            self.fail(f"应写作 people=0.6,reports=0.4 / expected kinds with weights, got {value!r}", param, ctx)


class Minutes(click.ParamType):
    """Thresholds such as "5,10,15", in minutes, as whole seconds."""

    name = "minutes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Return the thresholds in seconds."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(round(float(part) * 60) for part in str(value).replace("，", ",").split(","))
        except (ValueError, OverflowError):
            self.fail(
                f"分钟数应为数字，以逗号分隔 / minutes must be numbers parted by commas, got {value!r}", param, ctx
            )
