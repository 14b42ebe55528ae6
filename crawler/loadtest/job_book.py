"""Follows the jobs of a load test in Redis, and samples the system."""

from __future__ import annotations

import psutil

from ..api.job import ENDS, PREFIX
from ..api.jobs import Jobs
from ..errors import CrawlerError
from ..frontier.moments import moments_of
from ..storage.errors import redis_errors
from .measurements import JobTimes, Sample

#: Seconds over which the completions of a sample are counted.
PACE_WINDOW = 5.0


class JobBook:
    """Follows the jobs that are ordered from now on.

    Only those that have not ended are looked at again, all in one round trip.
    """

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self.client = jobs.client
        self.started = self.now()
        self.times: dict[str, JobTimes] = {}
        self._open: dict[str, JobTimes] = {}
        self._last = int(self.started * 1e6)
        psutil.cpu_percent()  # the next call says what was used since this one

    def now(self) -> float:
        """Return the time by Redis's clock, in epoch seconds."""
        with redis_errors():
            seconds, micros = self.client.redis.time()
        return float(seconds) + float(micros) / 1e6

    @property
    def unfinished(self) -> list[JobTimes]:
        """The jobs that have not ended, the oldest first."""
        return list(self._open.values())

    def look(self) -> float:
        """Bring the book up to date; return the time of this look."""
        for id_, micros in self.jobs.ordered_since(self._last):
            if id_ not in self.times:
                self.times[id_] = self._open[id_] = JobTimes(id_, micros // 1_000 / 1_000)
            self._last = max(self._last, micros)
        names = [PREFIX + id_ for id_ in self._open]
        found = moments_of(self.client.redis, self.client.settings.key_prefix, names)
        for job, moments in zip(self.unfinished, found, strict=True):
            if moments is None:
                continue
            job.began = moments.begun
            job.state = "new" if job.began is None else "running"
            if moments.status in ENDS:
                job.state, job.ended = ENDS[moments.status], moments.ended
                del self._open[job.id]
        return self.now()

    def sample(self) -> Sample:
        """Look, and return what is seen."""
        now = self.look()
        states = [job.state for job in self.times.values()]
        waiting = [job for job in self._open.values() if job.began is None]
        window = min(PACE_WINDOW, max(now - self.started, 1.0))
        lately = sum(1 for job in self.times.values() if (job.ended or 0) > now - window)
        workers = self.client.workers.workers()
        return Sample(
            at=now - self.started,
            ordered=len(self.times),
            waiting=len(waiting),
            running=len(self._open) - len(waiting),
            done=states.count("done"),
            failed=states.count("failed"),
            oldest=max((now - job.ordered for job in waiting), default=0.0),
            completed=lately / window,
            cpu=psutil.cpu_percent(),
            slots=sum(worker.processes for worker in workers),
        )

    def stop_all(self) -> int:
        """Stop the jobs that have not ended; return how many."""
        left = self.unfinished
        for job in left:
            try:
                self.jobs.stop(job.id)
            except CrawlerError:  # it begins just now, or Redis is away: it ends by itself
                continue
        return len(left)
