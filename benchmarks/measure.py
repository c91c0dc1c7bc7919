"""CPU seconds, peak memory and the table they are printed in."""

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Repeats stop after this many, or once they have taken this long.
REPEATS = 5
ENOUGH_S = 8.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One call measured: CPU seconds of the best repeat, megabytes at its peak, the result last returned."""

    cpu_s: float
    peak_mb: float
    result: Any


def measured(call: Callable[[], Any]) -> Measured:
    """Call once to warm up (compilers, caches), then repeat and keep the best: process time, all threads together."""
    call()
    _give_back()
    before_mb = _resident_mb("VmRSS", reset=True)
    best_s, spent_s = float("inf"), 0.0
    for _ in range(REPEATS):
        start = time.process_time()
        result = call()
        took_s = time.process_time() - start
        best_s, spent_s = min(best_s, took_s), spent_s + took_s
        if spent_s > ENOUGH_S:
            break
    return Measured(best_s, _resident_mb("VmHWM") - before_mb, result)


def _give_back() -> None:
    """Return freed memory to the system, so that the next call's is counted."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim is not None:
        trim(0)


def _resident_mb(field: str, *, reset: bool = False) -> float:
    """Read this process's memory from the kernel (Linux; NaN elsewhere), first resetting its peak if asked."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5", "ascii")
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


@contextmanager
def silent() -> Iterator[None]:
    """Send what compiled code writes to standard output nowhere."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def machine() -> str:
    """Name the processor and its count."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "unknown processor"
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else 'unknown processor'}, {len(models)} cores"


def seconds(cpu_s: float) -> str:
    """Write a time so that three digits show."""
    return f"{cpu_s * 1e3:.3g} ms" if cpu_s < 1 else f"{cpu_s:.3g} s"
