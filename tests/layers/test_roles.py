"""Who may do what: the table says it, and nobody has more than the role needs."""

import pytest

from gis.errors import RecordError
from layers.codes import Level
from layers.records import LAYERS
from layers.roles import (
    LAYER_PERMISSIONS,
    PERMISSIONS,
    ROLE_PERMISSIONS,
    ROLES,
    NotAllowedError,
    may,
    may_read_layer,
    require,
    tier_of,
)


def test_every_role_has_a_name_in_both_languages_and_permissions_there_are() -> None:
    assert set(ROLES) == set(ROLE_PERMISSIONS)
    for permissions in ROLE_PERMISSIONS.values():
        assert permissions <= set(PERMISSIONS)
    assert set().union(*ROLE_PERMISSIONS.values()) == set(PERMISSIONS)
    for words in (*ROLES.values(), *PERMISSIONS.values()):
        assert words.zh and words.en.isascii()


def test_only_those_who_help_read_private_parts() -> None:
    assert {role for role in ROLES if may(role, "read_private")} == {"supervisor", "grid_worker"}


def test_an_administrator_gives_rights_and_sees_no_report() -> None:
    assert {role for role in ROLES if may(role, "manage_accounts")} == {"administrator"}
    assert not any(may("administrator", p) for p in ("read_reports", "read_private", "read_roster", "read_history"))


def test_a_partner_only_confirms_referrals() -> None:
    assert ROLE_PERMISSIONS["partner"] == {"confirm_referral"}


def test_a_guidance_centre_counts_but_changes_nothing() -> None:
    changing = {"work_reports", "direct_reports", "refer", "confirm_referral", "manage_accounts"}
    assert not ROLE_PERMISSIONS["guidance_centre"] & changing


def test_a_lacking_permission_is_refused_in_both_languages() -> None:
    require("supervisor", "refer")
    with pytest.raises(NotAllowedError) as refused:
        require("partner", "refer")
    assert refused.value.zh == "本账号的角色不能转介"
    assert not may("nobody", "refer")
    with pytest.raises(KeyError):
        may("supervisor", "reffer")


def test_every_layer_says_who_reads_it() -> None:
    assert set(LAYER_PERMISSIONS) == set(LAYERS)
    public = {layer for layer in LAYERS if may_read_layer(None, layer)}
    assert public == {"streets", "areas", "service-points", "rescue-stations", "calendar"}
    assert {role for role in ROLES if may_read_layer(role, "reports")} == {"supervisor"}
    assert {role for role in ROLES if may_read_layer(role, "roster")} == {"supervisor"}
    assert not may_read_layer("partner", "population")


def test_a_tier_is_the_level_of_the_area() -> None:
    assert tier_of("320100000000") is Level.CITY
    assert tier_of("320102002001") is Level.COMMUNITY
    with pytest.raises(RecordError):
        tier_of("")
