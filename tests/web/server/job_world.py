"""A job in the middle of its search, for the pictures of the pages of jobs."""

from layers.accounts import Account
from layers.job_queue import beat, claim, write_line
from layers.job_rows import JobProgress
from layers.jobs import ask_job
from layers.store import Store
from planner.jobs.words import STEPS
from planner.siting.question import SitingQuestion
from web.server.city import now


def searching_job(store: Store, by: Account) -> int:
    """Ask where five points should stand, let a worker of another machine begin, and return the job's id."""
    question = SitingQuestion("mclp", count=5, candidates="midpoints")
    asked = ask_job(store, "siting", question.parameters, by=by, now=now())
    worker = "another-machine/1:77:ab"
    claim(store, asked.id, worker=worker, now=now())
    for step in ("streets", "areas", "points", "population", "reports", "siting"):
        write_line(store, asked.id, *STEPS[step], now=now())
    progress = JobProgress("siting", 5, 7, "bounding what sites could cover", 99_120.0, 100_840.0)
    beat(store, asked.id, worker=worker, now=now(), progress=progress)
    return asked.id
