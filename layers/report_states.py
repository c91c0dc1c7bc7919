"""A report's life: one table of the steps there are, what each needs, and what may be reported.

Whatever is not in ``TRANSITIONS`` is refused and changes nothing; the diagram is drawn from the same table.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from gis.errors import RecordError
from layers.roles import Words

STATES: Mapping[str, Words] = MappingProxyType(
    {
        "received": Words("已收到", "received"),
        "verified": Words("已核实", "verified"),
        "assigned": Words("已指派", "assigned"),
        "on_the_way": Words("正在前往", "on the way"),
        "helped": Words("已救助", "helped"),
        "closed": Words("已办结", "closed"),
        "duplicate": Words("与另一报告合并", "merged with another report"),
        "unfounded": Words("未发现情况", "nobody found"),
    }
)
FIRST_STATE = "received"
#: Somebody may still be waiting for help.
OPEN_STATES = ("received", "verified", "assigned", "on_the_way")
#: Nothing more is to be done.
ENDED_STATES = ("closed", "duplicate", "unfounded")

OUTCOMES: Mapping[str, Words] = MappingProxyType(
    {
        "informed": Words("已告知", "informed"),
        "guided": Words("已引导", "guided"),
        "escorted": Words("已护送", "escorted"),
        "referred": Words("已转介", "referred"),
        "declined": Words("婉拒救助", "declined"),
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """One step a report may take.

    permission : who may take it; ``work_reports`` alone counts only for reports assigned to oneself, or taken on by
    oneself. requires : what must come with it: "assignee" (an account), "outcome" (of OUTCOMES; "referred" needs a
    referral made before), "original" (the report it repeats).
    """

    before: str
    after: str
    permission: str
    requires: tuple[str, ...] = ()


TRANSITIONS: Mapping[tuple[str, str], Transition] = MappingProxyType(
    {
        (t.before, t.after): t
        for t in (
            Transition("received", "verified", "direct_reports"),
            Transition("received", "assigned", "work_reports", ("assignee",)),
            Transition("verified", "assigned", "work_reports", ("assignee",)),
            Transition("assigned", "assigned", "direct_reports", ("assignee",)),
            Transition("assigned", "verified", "work_reports"),
            Transition("assigned", "on_the_way", "work_reports"),
            Transition("on_the_way", "assigned", "direct_reports", ("assignee",)),
            Transition("on_the_way", "helped", "work_reports", ("outcome",)),
            Transition("helped", "assigned", "direct_reports", ("assignee",)),
            Transition("helped", "closed", "direct_reports"),
            *(Transition(before, "duplicate", "direct_reports", ("original",)) for before in OPEN_STATES),
            Transition("received", "unfounded", "direct_reports"),
            Transition("verified", "unfounded", "direct_reports"),
            Transition("assigned", "unfounded", "work_reports"),
            Transition("on_the_way", "unfounded", "work_reports"),
            Transition("duplicate", "verified", "direct_reports"),
            Transition("unfounded", "verified", "direct_reports"),
        )
    }
)


class IllegalStepError(RecordError):
    """A step the life of a report does not have, or one that lacks what it requires."""


def step(before: str, after: str) -> Transition:
    """Return the transition from ``before`` to ``after``; raises IllegalStepError where there is none."""
    found = TRANSITIONS.get((before, after))
    if found is None:
        here, there = (STATES.get(word, Words(word, word)) for word in (before, after))
        raise IllegalStepError(
            f"报告不能从“{here.zh}”变为“{there.zh}”", f"a report cannot go from “{here.en}” to “{there.en}”"
        )
    return found


def diagram() -> str:
    """Return the table as a Mermaid state diagram, labelled in Chinese."""
    lines = ["stateDiagram-v2", *(f"    {word} : {words.zh}" for word, words in STATES.items())]
    lines.append(f"    [*] --> {FIRST_STATE}")
    labels = {"assignee": "指派", "outcome": "结果", "original": "原报告"}
    for transition in TRANSITIONS.values():
        label = "、".join(labels[need] for need in transition.requires)
        lines.append(f"    {transition.before} --> {transition.after}" + (f" : {label}" if label else ""))
    lines += [f"    {word} --> [*]" for word in ENDED_STATES]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Need:
    """What somebody may need.

    urgent : whether it cannot wait; nearby_m : within which distance two reports of it may mean the same person.
    """

    words: Words
    urgent: bool
    nearby_m: float


NEEDS: Mapping[str, Need] = MappingProxyType(
    {
        "food_clothes": Need(Words("食物或衣物", "food or clothes"), False, 200.0),
        "medical": Need(Words("就医", "medical help"), True, 200.0),
        "lost": Need(Words("走失或神志不清", "lost or confused"), False, 600.0),
        "child_alone": Need(Words("未成年人独自一人", "a child alone"), True, 600.0),
        "night_shelter": Need(Words("今晚住处", "shelter for the night"), False, 200.0),
        "other": Need(Words("其他", "something else"), False, 200.0),
    }
)
ORDINARY, URGENT = 0, 1


def urgency(needs: Collection[str], *, cold_night: bool) -> int:
    """Return URGENT where a need cannot wait, or any at all on a cold night; else ORDINARY."""
    return URGENT if cold_night or any(NEEDS[need].urgent for need in needs) else ORDINARY


def nearby_m(needs: Collection[str]) -> float:
    """Return within which distance (m) a report of ``needs`` may mean a person reported already."""
    return max((NEEDS[need].nearby_m for need in needs), default=NEEDS["other"].nearby_m)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Whom a report can be referred to; within : how long its receipt may take unless said otherwise."""

    words: Words
    within: timedelta


RECEIVERS: Mapping[str, Receiver] = MappingProxyType(
    {
        "rescue_station": Receiver(Words("救助站", "rescue station"), timedelta(hours=12)),
        "hospital": Receiver(Words("医院", "hospital"), timedelta(hours=2)),
        "police": Receiver(Words("公安", "police"), timedelta(hours=4)),
    }
)
