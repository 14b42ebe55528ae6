"""Targets, theory and the search for a capacity, on stages whose numbers are known."""

from __future__ import annotations

import random

import pytest

from crawler.loadtest.capacity import Step, judge_step, search
from crawler.loadtest.load_report import LoadReport
from crawler.loadtest.measurements import JobTimes, RequestTime, Sample, Stage
from crawler.loadtest.scenario import EXPERIMENTS, Scenario
from crawler.loadtest.targets import judge, patience
from crawler.loadtest.theory import compare, disagreements


def queue(
    scenario: Scenario, rate: float, service: float, seconds: int, factor: float = 1.0
) -> Stage:
    """A stage in which jobs come at ``rate`` and are done one after another, ``service`` a second;
    when it ends, the last ones are left.
    """
    jobs, free = [], 0.0
    for number in range(round(rate * seconds)):
        ordered = number / rate
        began = max(free, ordered)
        free = began + 1 / service
        job = JobTimes(str(number), ordered)
        if began <= seconds:
            job.began, job.state = began, "running"
        if free <= seconds:
            job.ended, job.state = free, "done"
        jobs.append(job)
    samples = [sample(jobs, float(at)) for at in range(seconds + 1)]
    requests = [RequestTime(job.ordered, "POST", "/jobs", 0.005, None) for job in jobs]
    return Stage(scenario, factor, 0, 0, seconds, seconds, samples, jobs, requests)


def sample(jobs: list[JobTimes], at: float) -> Sample:
    known = [job for job in jobs if job.ordered <= at]
    waiting = [job for job in known if job.began is None or job.began > at]
    done = [job for job in known if job.ended is not None and job.ended <= at]
    oldest = max((at - job.ordered for job in waiting), default=0.0)
    running = len(known) - len(waiting) - len(done)
    return Sample(at, len(known), len(waiting), running, len(done), 0, oldest, 1.0, 5.0, 1)


def test_the_second_experiment_is_as_theory_says():
    stage = queue(EXPERIMENTS[2], rate=5, service=1, seconds=60)
    lines = {line.what: line for line in compare(stage, 1.0)}
    assert disagreements(list(lines.values())) == []
    measured = {what.split(" by")[0]: line.measured for what, line in lines.items()}
    assert measured["the queue grows"] == pytest.approx(4, rel=0.1)
    assert measured["a job that is ordered a second later takes longer"] == pytest.approx(
        4, rel=0.1
    )
    assert measured["the oldest job that waits has waited longer"] == pytest.approx(0.8, rel=0.1)
    assert measured["an order takes, at the median"] == 5


def test_a_system_that_is_slower_than_its_rate_differs_from_theory():
    stage = queue(EXPERIMENTS[2], rate=5, service=0.4, seconds=60)
    assert any("jobs done" in line for line in disagreements(compare(stage, 1.0)))


TARGETS = {"waiting_p99": 2.0, "total_p95": 5.0, "processing_mean": 1.5, "failures": 0.001}


def test_targets_are_met_below_the_capacity_and_missed_above():
    scenario = Scenario(publishers=5, rate=0.5, times=(1, 5), targets=TARGETS)
    calm = queue(scenario, rate=0.5, service=1, seconds=60)
    busy = queue(scenario, rate=2.5, service=1, seconds=60, factor=5)
    assert [one.is_met for one in judge(calm)] == [True] * 4
    verdicts = {one.target: one for one in judge(busy)}
    assert not verdicts["waiting_p99"].is_met
    # jobs that have not begun count with their time so far
    assert verdicts["waiting_p99"].measured > 30
    assert verdicts["failures"].is_met
    report = LoadReport(scenario, 1.0, [calm, busy], [judge(calm), judge(busy)])
    assert not report.passed
    assert report.verdict() == "targets missed at 5 times"
    assert patience(TARGETS) > 5


def test_failures_lost_jobs_and_refused_orders_count():
    scenario = Scenario(publishers=1, rate=1.0, targets={"failures": 0.1})
    stage = queue(scenario, rate=1, service=2, seconds=20)
    stage.jobs[3].state = "failed"
    stage.requests.extend([RequestTime(5, "POST", "/jobs", 0.1, "HTTPError")] * 2)
    stage.requests.append(RequestTime(6, "POST", "/jobs", 0.1, None))  # nobody knows this job
    assert (stage.refused, stage.lost) == (2, 1)
    (verdict,) = judge(stage)
    assert verdict.measured == pytest.approx(4 / 23)
    assert not verdict.is_met
    assert LoadReport(Scenario(waiters=1), None, [stage]).broken


def test_nothing_ordered_meets_no_target():
    scenario = Scenario(waiters=1, targets={"total_max": 9.0})
    empty = Stage(scenario, 1, 0, 0, 0, 0, [], [], [])
    assert [one.is_met for one in judge(empty)] == [False]


@pytest.mark.parametrize("service", [0.8, 3.0, 17.0])
def test_the_search_finds_the_capacity_of_a_queue(service):
    def attempt(rate: float, factor: float) -> Step:
        seconds = round(30 * factor)
        return judge_step(queue(Scenario(waiters=1), rate, service, seconds), rate, 0.95)

    for found in search(attempt, service, 0.1, 0.95):
        last = found
    assert last.low <= service * 1.12  # that little growth is not seen
    assert last.high is not None
    assert service * 0.9 <= last.high <= service * 1.3
    assert last.high - last.low < 0.1 * last.high


def test_the_search_ends_where_nothing_is_ever_sure():
    rand = random.Random(3)
    tried = []

    def attempt(rate: float, factor: float) -> Step:
        tried.append(factor)
        return Step(rate, rand.random(), None, None, 1, None)

    *_, last = search(attempt, 4.0, 0.1, 0.95)
    assert last.low == 0
    assert set(tried) == {1, 2, 4}  # again, and longer, before it gives up
    assert len(tried) < 40
