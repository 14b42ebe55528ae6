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

from crawler.contrib.locust import JobsUser  # first: it makes the standard library cooperate

# isort: split
import os


class Client(JobsUser):
    """Orders a job, follows it to its end, reads its results, and orders the next one."""

    weights = {"order_and_wait": 1}
    #: What each job is: a crawl that the server knows (CRAWL), else one page of CRAWL_URL.
    order = (
        {"crawl": os.environ["CRAWL"]}
        if "CRAWL" in os.environ
        else {"url": os.environ.get("CRAWL_URL", "http://127.0.0.1:8765/"), "page_limit": 1}
    )
    token = os.environ.get("CRAWLER_API_TOKEN", "")
    #: Seconds between two looks at a job, and after which one is given up.
    poll_interval = float(os.environ.get("POLL_INTERVAL", "0.5"))
    job_timeout = float(os.environ.get("PATIENCE", "120"))
