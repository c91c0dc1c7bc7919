"""Ask the interfaces for machines what their own description allows and forbids, and see that they answer as it says.

python -m benchmarks.api_fuzz [--cases 10000] [--store URL]

Every described operation gets its share of cases, half of them fitting its description, half breaking it; half ask
about points that exist and places in the city; a third comes with a token of staff. Both documents are asked, that of
/api/v1 and that of /ogc as staff see it. Faults are answers of 500 and above, statuses and media types that are not
described, and bodies that break their schema. The application is asked in its own process; the sequence of cases is
the same each time.
"""

import argparse
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import schemathesis
from apiflask import APIFlask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass(slots=True)
class Tried:
    """What came of it: answers by status, operations asked, and a line for each fault."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class _Crowd:
    """Lets every request come from an address of its own, so that nobody floods the server."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app, self._number = app, itertools.count()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        number = next(self._number) % 2**24
        environ["REMOTE_ADDR"] = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        return self._app(environ, start_response)


def try_cases(app: APIFlask, token: str, count: int) -> Tried:
    """Ask ``app`` about ``count`` cases, and at least two of each operation. token : of staff who may read reports."""
    tried, crowd, bearer = Tried(), _Crowd(app), {"Authorization": f"Bearer {token}"}
    found = [
        operation.ok()
        for path in ("/api/v1/openapi.json", "/ogc/api")
        for operation in schemathesis.openapi.from_wsgi(path, crowd, headers=bearer).get_all_operations()
    ]
    points = app.extensions["lamplight.city"].current().points
    turn = itertools.count()

    def ask(case: schemathesis.Case) -> None:
        number = next(turn)
        if number % 4 < 2:
            _make_real(case, points, number)
        tried.operations.add(case.operation.label)
        answer = case.call(headers=bearer if number % 3 == 0 or "/ogc" in (case.operation.base_url or "") else None)
        tried.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except (FailureGroup, Failure) as error:
            reasons = error.exceptions if isinstance(error, FailureGroup) else [error]
            told = "; ".join(f"{type(reason).__name__}: {reason}"[:300] for reason in reasons)
            tried.faults.append(f"{case.operation.label} {case.query} -> {answer.status_code}: {told}")
        if answer.status_code >= 500:
            tried.faults.append(f"{case.operation.label} {case.query} -> {answer.status_code}")

    single = [operation for operation in found if not list(operation.iter_parameters())]
    varied = [pair for pair in itertools.product(found, MODES) if pair[0] not in single and _possible(*pair)]
    for operation in single:
        _repeat(operation, MODES[0], 1, ask)
    share = max(2, 12 * count // (10 * len(varied)))  # some have fewer different cases than that
    for operation, mode in varied:
        _repeat(operation, mode, share, ask)
    return tried


def _possible(operation: Any, mode: GenerationMode) -> bool:
    """Tell whether there are such cases: nothing breaks the description of a path that may be any text."""
    try:
        _repeat(operation, mode, 1, lambda case: None)
    except Unsatisfiable:
        return False
    return True


def _repeat(operation: Any, mode: GenerationMode, share: int, ask: Callable[[Any], None]) -> None:
    @settings(
        max_examples=share, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        ask(case)

    run()


def _make_real(case: Any, points: Any, number: int) -> None:
    """Let a case be about a point or feature there is and a place in the city, where it names them."""
    row = points.iloc[number % len(points)]
    if {"kind", "code"} <= (case.path_parameters or {}).keys():
        kind, _, code = row["key"].partition("/")
        case.path_parameters.update(kind=kind, code=code)
    if "fid" in (case.path_parameters or {}):
        case.path_parameters["fid"] = row["code"] if "points" in case.operation.path else str(number % 40)
    if isinstance(case.query, dict) and {"lon", "lat"} <= case.query.keys():
        case.query.update(lon=row.geometry.x, lat=row.geometry.y)


def main() -> int:
    """Print what came of it; 1 where there was a fault."""
    from tests.web.server.conftest import SECRET, fill
    from tests.web.server.machines import token_of
    from web.server.app import create_app
    from web.server.settings import Settings

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--store", help="a store made earlier, to which an account is added")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.store or f"sqlite:///{folder}/town.sqlite"
        if not asked.store:
            fill(url, Path(folder))
        app = create_app(Settings(url, SECRET, secure=False))
        prepare(app)
        started = time.perf_counter()
        tried = try_cases(app, token_of(app, "supervisor", "990101000000"), asked.cases)
        seconds = time.perf_counter() - started
    print(f"{tried.statuses.total()} cases, {len(tried.operations)} operations, {seconds:.0f} s")
    print("  ".join(f"{status}: {times}" for status, times in sorted(tried.statuses.items())))
    print(f"{len(tried.faults)} faults", *tried.faults[:50], sep="\n")
    return bool(tried.faults)


def prepare(app: APIFlask) -> None:
    """Wait until the tiles have been made: before that 503 is the right answer."""
    client = app.test_client()
    while client.get("/tiles/city.pmtiles").status_code == 503:
        time.sleep(0.2)


if __name__ == "__main__":
    raise SystemExit(main())
