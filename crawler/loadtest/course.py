"""The course of a load test: one stage, a stage for each rate of a scenario, or the search for the
capacity; what it came to so far is in its report, also when it is interrupted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .capacity import Step, flood, judge_step, search, steadily
from .load_report import LoadReport
from .locust_process import WebPage
from .measurements import Sample, Stage
from .scenario import Scenario
from .stage_run import StageRun, Wait
from .targets import judge, patience
from .theory import compare

if TYPE_CHECKING:
    from .system import System


#: Seconds for the last jobs of users who wait for theirs, of which there are few: longer than the
#: lease of a page whose worker was killed.
LAST_JOBS = 120.0


def drain_of(scenario: Scenario) -> float:
    """Return for how many seconds at most to wait for jobs when no more are ordered. A queue that
    has grown is not waited for.
    """
    few = not scenario.publishers
    return max(patience(scenario.targets), LAST_JOBS if few else 0.0)


@dataclass
class Course:
    """Runs load tests on ``system``, until ``wait`` says to end; ``say`` prints a line, ``see`` is
    called with each sample.

    Raises:
        KeyboardInterrupt: it was told to end; the report has what was measured until then.
    """

    system: System
    report: LoadReport
    wait: Wait
    say: Callable[[str], None]
    see: Callable[[Sample], None]

    def stages(self, scenario: Scenario) -> None:
        """Run a stage for each of the scenario's times, and judge its targets."""
        run = self._runs(drain_of(scenario))
        for factor in scenario.times:
            if len(scenario.times) > 1:
                rate = (scenario.rate or 0.0) * factor
                self.say(f"{factor:g} times: {rate:g} jobs a second")
            self._take(run.run(scenario, factor))

    def watch(self, scenario: Scenario, web: WebPage) -> None:
        """Run one stage that people begin and end in Locust's web page, until told to end."""
        self._take(self._runs(0.0).run(scenario, web=web), ends=True)

    def capacity(self, scenario: Scenario, precision: float, confidence: float) -> None:
        """Find the highest rate that is sustained."""
        run = self._runs(0.0)

        def attempt(rate: float, factor: float) -> Step:
            seconds = scenario.duration * factor
            self.say(f"{rate:.2f} jobs a second, {seconds:g} s")
            stage = run.run(steadily(scenario, rate, seconds))
            if stage.is_interrupted:
                raise KeyboardInterrupt
            step = judge_step(stage, rate, confidence)
            self.say({True: "it holds", False: "the queue grows", None: "not sure"}[step.holds])
            return step

        self.say(f"as many as they can, {scenario.duration:g} s")
        self._take(run.run(flood(scenario)))
        most = self.report.stages[0].rate_of("ended") or 0.0
        for found in search(attempt, most, precision, confidence):
            self.report.capacity = found

    def _runs(self, drain: float) -> StageRun:
        return StageRun(self.system, self.wait, self.see, drain)

    def _take(self, stage: Stage, *, ends: bool = False) -> None:
        self.report.stages.append(stage)
        if stage.scenario.targets and stage.jobs:
            self.report.verdicts.append(judge(stage))
        if stage.scenario.experiment:
            self.report.comparison = compare(stage, self.report.rate)
        if stage.is_interrupted and not ends:
            raise KeyboardInterrupt
