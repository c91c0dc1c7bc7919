"""Every command in README and docs runs as it stands, and every link leads somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import lamplight
import question_options
from layers.reasons import REASONS
from layers.records import LAYERS
from layers.report_states import diagram

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```sh( postgis)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
DEMO = "lamplight demo --out demo"
LINK = re.compile(r"\]\(([^)\s]+)\)")


def scripts(*, postgis: bool) -> list[object]:
    found = []
    for page in PAGES:
        blocks = [text for mark, text in BLOCK.findall(page.read_text("utf-8")) if bool(mark) == postgis]
        if blocks:
            found.append(pytest.param("\n".join(blocks), id=page.relative_to(ROOT).as_posix()))
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves with which most pages begin."""
    folder = tmp_path_factory.mktemp("docs")
    run(DEMO, folder)
    return folder / "demo"


def run(script: str, folder: Path, **environment: str) -> None:
    """Run a page's blocks in order in an empty folder, as a reader with Lamplight installed would."""
    for target in re.findall(r"^make (\w+)", script, re.MULTILINE):
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
    commands = re.sub(r"^make \w+.*$", "", script, flags=re.MULTILINE)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    given = {k: v for k, v in os.environ.items() if k != "LAMPLIGHT_DB"} | {"PATH": path} | environment
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], cwd=folder, env=given, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", scripts(postgis=False))
def test_every_command_in_the_docs_runs(script: str, tmp_path: Path, demo: Path) -> None:
    shutil.copytree(demo, tmp_path / "demo")
    run(re.sub(rf"^{DEMO}\b.*$", "", script, flags=re.MULTILINE), tmp_path)


@pytest.mark.postgis
@pytest.mark.parametrize("script", scripts(postgis=True))
def test_every_postgis_command_in_the_docs_runs(script: str, tmp_path: Path, postgis_server) -> None:
    binaries = os.pathsep.join([str(postgis_server.binaries), str(Path(sys.executable).parent), os.environ["PATH"]])
    run(script, tmp_path, PGHOST=str(postgis_server.folder), PGUSER="lamplight", PATH=binaries)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if not urlsplit(target).scheme:
            assert (page.parent / target.split("#")[0]).exists(), target


def test_every_field_of_every_layer_is_described() -> None:
    text = (ROOT / "docs" / "data-formats.md").read_text("utf-8")
    for schema in LAYERS.values():
        section = text.split(f"### {schema.name} ")[1].split("\n##")[0]
        for field in schema.fields:
            name = f"**{field.name}**" if field.required else field.name
            assert f"| {name} | {field.zh} |" in section, f"{schema.name}.{field.name}"
            for word in field.words:
                assert word in section, f"{schema.name}.{field.name}: {word}"


def test_every_reason_to_refuse_a_row_is_listed_in_its_own_words() -> None:
    text = (ROOT / "docs" / "data-formats.md").read_text("utf-8")
    section = text.split("## Why a row is refused")[1].split("\n## ")[0]
    for code, (zh, en) in REASONS.items():
        assert f"| `{code}` | {zh} | {en} |" in section, code


@pytest.mark.parametrize("verb", ["coverage", "site"])
def test_every_option_is_explained_to_planners(verb: str) -> None:
    text = (ROOT / "docs" / "planner.md").read_text("utf-8")
    for option in lamplight.main.commands[verb].params:
        assert option.opts[0] in text, option.opts[0]
    for problem in question_options.PROBLEMS:
        assert f"| `{problem}` |" in text, problem


@pytest.mark.parametrize("verb", ["plan", "week", "replan", "match"])
def test_every_option_is_explained_to_supervisors(verb: str) -> None:
    text = (ROOT / "docs" / "supervisor.md").read_text("utf-8")
    for option in lamplight.patrol.commands[verb].params:
        if option.param_type_name == "option" and option.name not in ("db", "as_json"):
            assert option.opts[0] in text, option.opts[0]


def test_supervisors_see_the_very_steps_that_a_report_may_take() -> None:
    text = (ROOT / "docs" / "supervisor.md").read_text("utf-8")
    assert f"```mermaid\n{diagram()}```" in text


def test_docs_name_no_folder_of_a_machine() -> None:
    for page in PAGES:
        assert not re.search(r"(?<![\w.])/(work|home|root|tmp|Users)/", page.read_text("utf-8")), page.name
