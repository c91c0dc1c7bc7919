"""The life of a report is one table; what is not in it does not happen."""

import pytest

from layers.records import LAYERS
from layers.report_states import (
    ENDED_STATES,
    FIRST_STATE,
    NEEDS,
    OPEN_STATES,
    ORDINARY,
    OUTCOMES,
    RECEIVERS,
    STATES,
    TRANSITIONS,
    URGENT,
    IllegalStepError,
    diagram,
    nearby_m,
    step,
    urgency,
)
from layers.roles import PERMISSIONS


def test_every_step_not_in_the_table_is_refused_and_every_one_in_it_found() -> None:
    for before in STATES:
        for after in STATES:
            if (before, after) in TRANSITIONS:
                assert (step(before, after).before, step(before, after).after) == (before, after)
            else:
                with pytest.raises(IllegalStepError):
                    step(before, after)
    with pytest.raises(IllegalStepError):
        step("received", "nonsense")


def test_a_refusal_names_both_states_in_both_languages() -> None:
    with pytest.raises(IllegalStepError) as refused:
        step("closed", "received")
    assert refused.value.zh == "报告不能从“已办结”变为“已收到”"
    assert "closed" in refused.value.en and "received" in refused.value.en


def test_every_state_can_be_reached_and_every_one_but_closed_can_be_left() -> None:
    reached = {FIRST_STATE}
    while more := {after for before, after in TRANSITIONS if before in reached} - reached:
        reached |= more
    assert reached == set(STATES)
    assert set(STATES) - {before for before, _ in TRANSITIONS} == {"closed"}
    assert set(OPEN_STATES) | set(ENDED_STATES) | {"helped"} == set(STATES)


def test_a_report_is_closed_only_after_help() -> None:
    assert [before for before, after in TRANSITIONS if after == "closed"] == ["helped"]
    assert [before for before, after in TRANSITIONS if after == "helped"] == ["on_the_way"]


def test_each_step_asks_for_a_permission_there_is_and_for_what_its_end_needs() -> None:
    needs = {"assigned": ("assignee",), "helped": ("outcome",), "duplicate": ("original",)}
    for transition in TRANSITIONS.values():
        assert transition.permission in PERMISSIONS
        assert transition.requires == needs.get(transition.after, ())


def test_the_diagram_draws_every_step_of_the_table() -> None:
    lines = [line.strip() for line in diagram().splitlines()]
    assert lines[0] == "stateDiagram-v2"
    drawn = {tuple(line.split(" : ")[0].split(" --> ")) for line in lines if " --> " in line}
    assert drawn == set(TRANSITIONS) | {("[*]", FIRST_STATE)} | {(state, "[*]") for state in ENDED_STATES}


def test_outcomes_are_those_of_the_reports_layer() -> None:
    assert tuple(OUTCOMES) == LAYERS["reports"].field("outcome").words


def test_what_cannot_wait_is_urgent_and_everything_is_on_a_cold_night() -> None:
    assert {need for need in NEEDS if urgency([need], cold_night=False) == URGENT} == {"medical", "child_alone"}
    assert urgency(["food_clothes", "medical"], cold_night=False) == URGENT
    assert urgency([], cold_night=False) == ORDINARY
    assert urgency(["other"], cold_night=True) == URGENT


def test_who_walks_about_is_looked_for_farther_away() -> None:
    assert nearby_m(["lost", "food_clothes"]) > nearby_m(["food_clothes"]) == nearby_m([])


def test_each_receiver_has_a_deadline() -> None:
    assert all(receiver.within.total_seconds() > 0 for receiver in RECEIVERS.values())
