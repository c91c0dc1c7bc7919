"""What may stand in a field that somebody fills in."""

import pytest

from layers.faults import FaultsError, text_fault


@pytest.mark.parametrize("text", ["", "桥洞下", "𠮷 👨\u200d👩\u200d👧", "a\u200bb\ufeff", "\ue000", "x" * 10])
def test_whatever_somebody_writes_or_pastes_may_stand(text: str) -> None:
    assert text_fault(text, 10) is None


@pytest.mark.parametrize("text", ["a\nb", "\t", "\x00", "\x7f", "\x85", "a\u202eb", "\u2066", "\ud800", "x" * 11])
def test_control_characters_turning_marks_and_too_much_may_not(text: str) -> None:
    fault = text_fault(text, 10)
    assert fault is not None and fault[0] and fault[1].isascii()


def test_lines_stand_where_they_may_and_spaces_are_not_text() -> None:
    assert text_fault("a\r\nb\tc", 10, lines=True) is None
    assert text_fault("a\x0bb", 10, lines=True) is not None
    assert text_fault(" \u3000", 10, least=1) == ("必填", "required")
    assert text_fault("ab", 10, least=3) == ("至少 3 个字", "at least 3 characters")


def test_all_faults_are_in_one_message_and_each_under_its_field() -> None:
    error = FaultsError({"a": ("甲", "one"), "b": ("乙", "two")})
    assert (error.zh, error.en, error.faults["b"]) == ("甲；乙", "one; two", ("乙", "two"))
    assert FaultsError(dict.fromkeys("abc", ("必填", "required"))).zh == "必填"
