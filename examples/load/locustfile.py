"""How long do jobs take when many are ordered at once? Locust reports the times of the *jobs*, not
only those of requests.

    pip install "celery-crawler[load]"
    CRAWLER_API_TOKEN=… CRAWL_URL=http://127.0.0.1:8765/ \
        locust -f examples/load/locustfile.py --host http://127.0.0.1:8000 \
        --headless -u 20 -r 5 -t 60s --stop-timeout 120 --json-file jobs

Three rows of its table have the type JOB: WAITING, from the order to the first page; PROCESSING,
from there to the end; TOTAL. They are by Redis's clock, so neither polling nor the network is in
them. Let the server count no requests: CRAWLER_API_RATE=0.
"""

from locust import HttpUser, events, task  # first: it makes the standard library cooperate

# isort: split
import os
import time
from datetime import datetime

import gevent

#: What each job is: a crawl that the server knows (CRAWL), else one page of CRAWL_URL.
ORDER = (
    {"crawl": os.environ["CRAWL"]}
    if "CRAWL" in os.environ
    else {"url": os.environ.get("CRAWL_URL", "http://127.0.0.1:8765/"), "page_limit": 1}
)
#: Seconds between two looks at a job, and after which one is given up.
POLL_INTERVAL = float(os.environ.get("POLL_INTERVAL", "0.5"))
PATIENCE = float(os.environ.get("PATIENCE", "120"))
ENDS = ("done", "failed", "stopped")


class Client(HttpUser):
    """Orders a job, follows it to its end, and orders the next one."""

    def on_start(self):
        self.client.headers["Authorization"] = f"Bearer {os.environ.get('CRAWLER_API_TOKEN', '')}"

    @task
    def job(self):
        with self.client.post("/jobs", json=ORDER, name="/jobs", catch_response=True) as answer:
            if answer.status_code != 201:
                answer.failure(f"{answer.status_code}: {answer.text[:200]}")
                gevent.sleep(1)
                return
            job = answer.json()
        end = time.monotonic() + PATIENCE
        while job["state"] not in ENDS:
            if time.monotonic() > end:
                self.report("TOTAL", PATIENCE, TimeoutError(f"no end after {PATIENCE:g} s"))
                return
            gevent.sleep(POLL_INTERVAL)
            answer = self.client.get(f"/jobs/{job['id']}", name="/jobs/ID")
            if answer.ok:
                job = answer.json()
        error = None if job["state"] == "done" else RuntimeError(f"{job['state']}: {job['reason']}")
        self.report("WAITING", job["waiting"], error)
        self.report("PROCESSING", job["processing"], error)
        self.report("TOTAL", seconds(job["created"], job["finished"]), error)

    def report(self, name, took, error=None):
        """Put a time of the job, in seconds, into Locust's table."""
        events.request.fire(
            request_type="JOB",
            name=name,
            response_time=took * 1_000,
            response_length=0,
            exception=error,
            context={},
        )


def seconds(first, last):
    """Seconds between two times of a job."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
