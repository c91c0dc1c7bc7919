"""Accounts, what the public reports and what becomes of it, the audit log, public holidays, and every record's area."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from layers.geometry_type import Geometry
from layers.migrations.versions.r0001_city_records import BIG_ID, layer_table, text_column

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CODE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
LAYERS = (
    "streets", "areas", "grid_cells", "service_points", "rescue_stations", "candidates", "forbidden_areas",
    "population", "reports", "roster", "patrol_duties", "patrol_effort", "weather", "calendar",
)  # fmt: skip
OF_ACCOUNT = ("session", "api_token")
OF_REPORT = ("report_step", "referral", "photo")
TABLES = ("audit_head", "audit_entry", *OF_REPORT, "incoming_report", *OF_ACCOUNT, "account")
ROLE = "lamplight_scoped"
INSIDE = "{0} >= current_setting('lamplight.lowest', true) AND {0} < current_setting('lamplight.beyond', true)"

#: What the scoped role may ask the tables' owner to do. It writes no entry of the audit log itself: the function alone
#: numbers, chains and hashes one, by the same words as layers.audit, and only about the caller's own area. Partners
#: are institutions, and stand above the areas they serve.
AS_OWNER = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS"
FUNCTIONS = {
    "audit_append(given_at timestamp, given_account bigint, given_action text, given_object text, given_area text, "
    "given_detail text)": f"""RETURNS bigint {AS_OWNER} $$
    DECLARE
        last audit_head%ROWTYPE;
        fresh text;
    BEGIN
        IF current_setting('role') = '{ROLE}' AND NOT coalesce({INSIDE.format('given_area COLLATE "C"')}, false) THEN
            RAISE insufficient_privilege USING MESSAGE = 'an entry about another area';
        END IF;
        INSERT INTO audit_head (id, entries, sha256) VALUES (1, 0, repeat('0', 64)) ON CONFLICT (id) DO NOTHING;
        SELECT * INTO STRICT last FROM audit_head WHERE id = 1 FOR UPDATE;
        fresh := encode(sha256(convert_to(last.sha256 || json_build_array(
            to_char(given_at, 'YYYY-MM-DD"T"HH24:MI:SS.US'), given_account, given_action, given_object, given_area,
            given_detail)::text, 'UTF8')), 'hex');
        INSERT INTO audit_entry (number, at, account_id, action, object, area_code, detail, previous_sha256, sha256)
        VALUES (last.entries + 1, given_at, given_account, given_action, given_object, given_area, given_detail,
            last.sha256, fresh);
        UPDATE audit_head SET entries = last.entries + 1, sha256 = fresh WHERE id = 1;
        RETURN last.entries + 1;
    END $$""",
    "active_partners()": f"""RETURNS TABLE (id bigint, name text, receiver text, area_code text) STABLE {AS_OWNER} $$
    BEGIN
        RETURN QUERY SELECT a.id, a.name, a.receiver::text, a.area_code::text FROM account AS a
            WHERE a.active AND a.role = 'partner';
    END $$""",
}


def upgrade() -> None:
    layer_table("calendar", sa.Column("date", sa.Date(), nullable=False), text_column("kind"), text_column("name"))
    for layer in LAYERS:
        op.add_column(layer, sa.Column("scope_code", CODE, nullable=False, server_default=""))
        op.create_index(f"ix_{layer}_scope_code", layer, ["version_id", "scope_code"])
    accounts()
    reports()
    op.create_table(
        "audit_entry",
        sa.Column("number", BIG_ID, primary_key=True, autoincrement=False),
        moment("at"),
        sa.Column("account_id", BIG_ID, nullable=True),
        word("action", 80),
        text_column("object"),
        sa.Column("area_code", CODE, nullable=False),
        text_column("detail"),
        word("previous_sha256", 64),
        word("sha256", 64),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("entries", BIG_ID, nullable=False),
        word("sha256", 64),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.create_index("ix_incoming_report_geometry", "incoming_report", ["geometry"], postgresql_using="gist")
        guard()


def accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        word("username", 80, unique=True),
        text_column("name"),
        word("role", 40),
        sa.Column("area_code", CODE, nullable=False),
        word("receiver", 40),
        text_column("password_hash"),
        word("uniquifier", 64, unique=True),
        text_column("totp_secret", True),
        text_column("recovery_codes"),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        moment("locked_until", nullable=True),
        moment("created_at"),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.String(64), primary_key=True),
        pointing_at("account"),
        text_column("device"),
        moment("created_at"),
        moment("seen_at"),
        moment("revoked_at", nullable=True),
    )
    op.create_table(
        "api_token",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        pointing_at("account"),
        text_column("name"),
        word("sha256", 64, unique=True),
        moment("created_at"),
        moment("expires_at"),
        moment("revoked_at", nullable=True),
    )
    for table in OF_ACCOUNT:
        op.create_index(f"ix_{table}_account_id", table, ["account_id"])


def reports() -> None:
    op.create_table(
        "incoming_report",
        sa.Column("id", BIG_ID, primary_key=True, autoincrement=True),
        word("token_sha256", 64, unique=True),
        word("submission_sha256", 64, unique=True),
        moment("received_at"),
        moment("changed_at"),
        *(word(name, 40) for name in ("channel", "state", "outcome")),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("area_code", CODE, nullable=False),
        sa.Column("geometry", Geometry("POINT"), nullable=False),
        *map(text_column, ("place", "needs")),
        sa.Column("people", sa.Integer(), nullable=False),
        *map(text_column, ("note", "contact")),
        sa.Column("assigned_to", BIG_ID, sa.ForeignKey("account.id"), nullable=True),
        sa.Column("duplicate_of", BIG_ID, sa.ForeignKey("incoming_report.id"), nullable=True),
        moment("purged_at", nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
    )
    listed = ["area_code", "state", "urgency", "id", "assigned_to"]
    for name, columns in (("state", ["state"]), ("area_code", listed)):
        op.create_index(f"ix_incoming_report_{name}", "incoming_report", columns)
    report_part(
        "report_step",
        moment("at"),
        sa.Column("account_id", BIG_ID, sa.ForeignKey("account.id"), nullable=True),
        word("before", 40),
        word("after", 40),
        text_column("note"),
    )
    report_part(
        "referral",
        word("receiver", 40),
        sa.Column("made_to", BIG_ID, sa.ForeignKey("account.id"), nullable=True),
        text_column("place"),
        moment("made_at"),
        sa.Column("made_by", BIG_ID, sa.ForeignKey("account.id"), nullable=True),
        moment("due_at"),
        moment("received_at", nullable=True),
        text_column("received_by"),
    )
    op.create_index("ix_referral_made_to", "referral", ["made_to"])
    report_part("photo", moment("added_at"), sa.Column("jpeg", sa.LargeBinary(), nullable=False))


def report_part(table: str, *columns: sa.Column[Any]) -> None:
    op.create_table(
        table, sa.Column("id", BIG_ID, primary_key=True, autoincrement=True), pointing_at("incoming_report"), *columns
    )
    op.create_index(f"ix_{table}_report_id", table, ["report_id"])


def pointing_at(table: str) -> sa.Column[Any]:
    name = {"account": "account_id", "incoming_report": "report_id"}[table]
    return sa.Column(name, BIG_ID, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(), nullable=nullable)


def word(name: str, most: int, *, unique: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(most), nullable=False, unique=unique)


def guard() -> None:
    """Let a role of its own see the rows of one range of codes, and nothing where no range was set.

    A role belongs to the whole server, so another city's database may have made it already. Source: PostgreSQL
    manual, row security policies.
    """
    op.execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN "
        f"CREATE ROLE {ROLE} NOLOGIN; END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    op.execute(
        f"DO $$ BEGIN IF NOT pg_has_role(current_user, '{ROLE}', 'MEMBER') THEN "
        f"EXECUTE format('GRANT {ROLE} TO %I', current_user); END IF; END $$"
    )
    op.execute(f"GRANT SELECT ON layer_version, setting, derived TO {ROLE}")
    for layer in LAYERS:
        policy(layer, INSIDE.format("scope_code"), "SELECT")
    for table in ("account", "incoming_report"):
        policy(table, INSIDE.format("area_code"), "SELECT, INSERT, UPDATE")
    policy("audit_entry", INSIDE.format("area_code"), "SELECT")
    for parent, column, tables in (("account", "account_id", OF_ACCOUNT), ("incoming_report", "report_id", OF_REPORT)):
        for table in tables:  # the rows of the parent are held back by its own policy
            policy(
                table, f"EXISTS (SELECT 1 FROM {parent} AS p WHERE p.id = {table}.{column})", "SELECT, INSERT, UPDATE"
            )
    op.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {ROLE}")
    for function, declared in FUNCTIONS.items():
        op.execute(f"CREATE FUNCTION {function} {declared}")
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {ROLE}")


def policy(table: str, condition: str, rights: str) -> None:
    op.execute(f"GRANT {rights} ON {table} TO {ROLE}")
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY scoped ON {table} TO {ROLE} USING ({condition}) WITH CHECK ({condition})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in LAYERS:
            op.execute(f"DROP POLICY scoped ON {table}")
            op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        for function in FUNCTIONS:
            op.execute(f"DROP FUNCTION {function}")
    for table in TABLES:
        op.drop_table(table)
    for layer in LAYERS:
        op.drop_index(f"ix_{layer}_scope_code", layer)
        op.drop_column(layer, "scope_code")
    op.drop_table("calendar")
