"""``load``: a load test that measures the jobs, beside what Locust sees of the endpoints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ..config import settings as configuration
from ..config.settings import Settings
from ..errors import SetupError
from ..loadtest.course import Course
from ..loadtest.load_report import LoadReport
from ..loadtest.locust_process import WebPage, check_installed
from ..loadtest.measurements import Sample
from ..loadtest.scenario import EXPERIMENTS, Scenario, read
from ..loadtest.system import System
from ..output.report import ExitStatus
from .click_errors import Mistake
from .interrupts import count_interrupts
from .parameters import HOST
from .terminal import echo

#: Seconds between two lines of progress, and of a step of --capacity unless it is said.
SAY_INTERVAL, STEP_DURATION = 5.0, 20.0


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--experiment",
    type=click.IntRange(1, 2),
    help="1: five users wait for each job; 2: they order one a second each, and wait for nothing.",
)
@click.option(
    "--capacity", is_flag=True, help="Find the highest rate of orders that workers sustain."
)
@click.option("--duration", type=float, help="Seconds for which jobs are ordered. [default: 60]")
@click.option("--users", type=int, help="Users that order jobs.")
@click.option("--rate", type=float, help="Jobs a second that publishers order, all together.")
@click.option("--times", help="Stages, so many times the rate, separated by commas: 1,5,10")
@click.option(
    "--worker-rate",
    type=float,
    help=(
        "Jobs of one page that the workers complete in a second, as"
        " CRAWLER_WORKER_JOB_COMPLETION_RATE_PER_SECOND. [default: the scenario's]"
    ),
)
@click.option("-c", "--concurrency", type=int, help="Browsers at once, without a configured Redis.")
@click.option(
    "--precision",
    type=click.FloatRange(0.01, 0.5),
    default=0.1,
    show_default=True,
    help="Of --capacity: end when it is known this well, as a part of it.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0.6, 0.999),
    default=0.95,
    show_default=True,
    help="Of --capacity: how sure it must be that waiting grows, or does not.",
)
@click.option("--web", is_flag=True, help="Open Locust's web page, and begin there, until Ctrl-C.")
@click.option(
    "--web-host", type=HOST, default="127.0.0.1", show_default=True, help="Where it listens."
)
@click.option(
    "--web-port", type=click.IntRange(1, 65_535), default=8_089, show_default=True, help="Its port."
)
@click.option("--url", help="A jobs API that runs elsewhere. [default: one of its own]")
@click.option("--page", help="The URL that jobs read. [default: a page of its own]")
@click.option(
    "-o",
    "--file",
    "output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("load.html"),
    show_default=True,
    help="The report.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers of the report as JSON.")
def load(
    file: Path | None,
    experiment: int | None,
    capacity: bool,
    precision: float,
    confidence: float,
    web: bool,
    web_host: str,
    web_port: int,
    url: str | None,
    page: str | None,
    output: Path,
    as_json: bool,
    **changes: Any,
) -> None:
    """Put jobs under load, and write a report on how long they took.

    FILE is a scenario (TOML), or a locustfile. Without a configured Redis, all that is needed is
    brought up, and ended: Redis, workers, the jobs API, a page. Exit status 1: a target was missed,
    or a job failed or was lost.
    """
    if sum((file is not None, experiment is not None)) > 1:
        raise Mistake("name a FILE or an --experiment, not both")
    if file is None and experiment is None and not capacity:
        raise Mistake("name a FILE, an --experiment, or --capacity")
    if capacity and web:
        raise Mistake("--capacity orders by itself; --web is for a FILE or an --experiment")
    check_installed()
    settings = configuration.load()
    scenario = scenario_of(file, experiment, capacity, settings, changes)
    report = LoadReport(scenario, settings.worker_job_completion_rate_per_second)
    page_of_locust = WebPage(web_host, web_port) if web else None
    with count_interrupts() as interrupts:
        progress = LoadProgress()
        try:
            wait = interrupts.event.wait
            with System(settings, scenario, wait, url=url, page=page) as system:
                report.rate = system.rate
                course = Course(system, report, wait, say, progress.see)
                if capacity:
                    course.capacity(scenario, precision, confidence)
                elif page_of_locust:
                    say(f"Locust: http://{web_host}:{web_port} (Ctrl-C ends, and writes {output})")
                    course.watch(scenario, page_of_locust)
                else:
                    course.stages(scenario)
        except KeyboardInterrupt:
            report.is_interrupted = True
    write(report, output)
    echo(json.dumps(report.record()) if as_json else "\n".join(report.lines()))
    if not as_json:
        echo(f"  report   {output}")
    if report.is_interrupted:
        sys.exit(ExitStatus.INTERRUPTED)
    if not report.passed:
        sys.exit(ExitStatus.CRAWL_FAILED)


def scenario_of(
    file: Path | None,
    experiment: int | None,
    capacity: bool,
    settings: Settings,
    changes: dict[str, Any],
) -> Scenario:
    """Return the scenario that the command line asks for.

    Raises:
        SetupError: it is faulty.
    """
    if file is not None:
        scenario = read(file)
    elif experiment is not None:
        scenario = EXPERIMENTS[experiment]
    else:
        scenario = Scenario(name="Capacity", publishers=5, rate=1.0, duration=STEP_DURATION)
    if capacity and scenario.locustfile:
        raise SetupError("--capacity orders jobs by itself, so it takes no locustfile")
    users, rate = changes.pop("users"), changes.pop("rate")
    if users is not None:
        kind = next((one for one in ("users", "waiters") if getattr(scenario, one)), "publishers")
        changes[kind] = users
        if experiment == 2 and rate is None:  # one a second each
            rate = float(users)
    if (times := changes.pop("times")) is not None:
        changes["times"] = factors(times)
    if capacity and file is not None:
        changes["duration"] = changes["duration"] or STEP_DURATION
    own_rate, concurrency = changes.pop("worker_rate"), changes.pop("concurrency")
    own_rate = own_rate or settings.worker_job_completion_rate_per_second
    # workers that run elsewhere have the rate that they were given
    rate_of_plan = None if settings.redis_url else scenario.workers.rate
    plan = {
        "rate": own_rate or rate_of_plan,
        "concurrency": scenario.workers.concurrency if concurrency is None else concurrency,
    }
    if plan != scenario.workers.model_dump():
        changes["workers"] = plan
    return scenario.changed(rate=rate, **changes)


def factors(text: str) -> list[float]:
    """Return the numbers of ``--times``.

    Raises:
        Mistake: it has something else.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise Mistake(f"--times {text}: numbers, separated by commas (1,5,10)") from None


def write(report: LoadReport, path: Path) -> None:
    """Write the report to ``path``.

    Raises:
        SetupError: it cannot be written.
    """
    try:
        path.write_text(report.html(), encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror or error}") from error


class LoadProgress:
    """Says every few seconds where a load test stands."""

    def __init__(self) -> None:
        self._due = 0.0

    def see(self, sample: Sample) -> None:
        """Take a sample."""
        if self._due - SAY_INTERVAL <= sample.at < self._due:
            return
        self._due = sample.at + SAY_INTERVAL
        say(
            f"{sample.at:4.0f} s: {sample.ordered} ordered, {sample.done} done,"
            f" {sample.waiting} wait (the oldest for {sample.oldest:.1f} s),"
            f" {sample.running} in work, {sample.completed:.1f}/s, CPU {sample.cpu:.0f} %"
        )


def say(text: str) -> None:
    """Print ``text`` on standard error."""
    echo(text, err=True)
