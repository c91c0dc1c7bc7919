"""Joins a Dask cluster: processes that answer whatever jobs its scheduler hands them."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

from gis.errors import LamplightError

#: How long the scheduler may take to answer.
PATIENCE_S = 10


class ClusterError(LamplightError):
    """A scheduler that cannot be joined."""


def join_cluster(address: str, workers: int) -> None:
    """Serve the Dask scheduler at ``address`` with ``workers`` processes, until it goes or the caller is interrupted.

    Each takes one job at a time, has Lamplight imported before the first, and is begun again where it dies. Raises
    ClusterError where no scheduler answers.
    """
    import dask
    from distributed import Nanny

    logging.getLogger("distributed").setLevel(logging.WARNING)

    async def serve() -> None:
        await _knock(address)
        async with AsyncExitStack() as stack:
            nannies: list[Any] = [Nanny(address, nthreads=1, preload=["planner.jobs.runs"]) for _ in range(workers)]
            for nanny in nannies:
                await stack.enter_async_context(nanny)
            ends = [asyncio.ensure_future(nanny.finished()) for nanny in nannies]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)

    # planning a patrol starts processes, which daemonic ones may not
    with dask.config.set({"distributed.worker.daemon": False}):
        try:
            asyncio.run(serve())
        except (OSError, ValueError) as error:  # a time-out among them
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ClusterError(
                f"无法加入 Dask 调度器 {address}：{reason}", f"cannot join the Dask scheduler at {address}: {reason}"
            ) from None


async def _knock(address: str) -> None:
    """Raise OSError or ValueError where no scheduler answers: a nanny would ask for ever."""
    from distributed.comm.core import connect

    comm: Any = await connect(address, timeout=PATIENCE_S)  # type: ignore[no-untyped-call]
    await comm.close()
