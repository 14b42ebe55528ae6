"""The report of a load test: one HTML file that needs nothing else, with Locust's view and the
system's beside each other; the same facts as JSON, and in a few lines for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ..output.html.web_page import chart, figure, table, web_page
from ..redaction import masked
from .capacity import Capacity
from .measurements import Stage
from .scenario import Scenario
from .targets import Verdict
from .theory import Comparison, disagreements

#: Classes of the cells that judge.
MARKS = {
    **dict.fromkeys(("agrees", "holds", "met"), "good"),
    **dict.fromkeys(("differs", "grows", "missed"), "bad"),
}
#: The charts of a stage: what Locust sees, and what the system knows; each with what to look at.
LOCUST = (("times", "How long requests take"), ("requests", "Requests and failures in each second"))
SYSTEM = (
    ("queue", "Jobs that wait, and jobs in work"),
    ("oldest", "How long the oldest job that waits has waited"),
    ("totals", "Each job, by when it was ordered: time until it was done"),
    ("pace", "Jobs completed in a second, over the last five"),
    ("busy", "Browsers that are busy, of those that there are"),
    ("cpu", "All processors of this machine"),
)


@dataclass
class LoadReport:
    """What a load test came to, as far as it got."""

    scenario: Scenario
    #: Jobs of one page that the workers complete in a second, at most; None: any, or unknown.
    rate: float | None = None
    stages: list[Stage] = field(default_factory=list)
    verdicts: list[list[Verdict]] = field(default_factory=list)
    comparison: list[Comparison] = field(default_factory=list)
    capacity: Capacity | None = None
    is_interrupted: bool = False

    @property
    def missed(self) -> bool:
        """Whether a target was missed."""
        return any(not one.is_met for verdicts in self.verdicts for one in verdicts)

    @property
    def broken(self) -> bool:
        """Whether a job failed or was lost, or an order refused, where no target allows that."""
        if "failures" in self.scenario.targets:
            return False
        return any(stage.count("failed") or stage.lost or stage.refused for stage in self.stages)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        found = self.capacity is None or self.capacity.low > 0
        return bool(self.stages) and not self.missed and not self.broken and found

    def verdict(self) -> str:
        """Return the end of it in a sentence."""
        parts = ["interrupted"] if self.is_interrupted else []
        if not self.stages:
            return "interrupted before anything was measured"
        if self.capacity is not None:
            parts.append(capacity_words(self.capacity))
        if self.verdicts:
            times = [
                f"{stage.factor:g} times"
                for stage, verdicts in zip(self.stages, self.verdicts, strict=False)
                if any(not one.is_met for one in verdicts)
            ]
            parts.append(f"targets missed at {', '.join(times)}" if times else "targets met")
        if self.comparison:
            wrong = len(disagreements(self.comparison))
            parts.append(f"{wrong} lines differ from theory" if wrong else "as theory says")
        for what, number in (
            ("failed", sum(stage.count("failed") for stage in self.stages)),
            ("lost", sum(stage.lost for stage in self.stages)),
        ):
            parts += [f"{number} jobs {what}"] if number else []
        refused = sum(stage.refused for stage in self.stages)
        parts += [f"{refused} orders refused"] if refused else []
        return "; ".join(parts) or "measured, without targets"

    def record(self) -> dict[str, Any]:
        """Return the report as JSON, without the course of its numbers."""
        return {
            "name": self.scenario.name,
            "passed": self.passed,
            "verdict": self.verdict(),
            "interrupted": self.is_interrupted,
            "worker_rate": self.rate,
            "targets": dict(self.scenario.targets),
            "stages": [
                {**stage.record(), "targets": [one.record() for one in verdicts]}
                for stage, verdicts in self._judged()
            ],
            "theory": [line.record() for line in self.comparison],
            "capacity": self.capacity and self.capacity.record(),
        }

    def _judged(self) -> Iterable[tuple[Stage, list[Verdict]]]:
        rest: list[list[Verdict]] = [[] for _ in self.stages[len(self.verdicts) :]]
        return zip(self.stages, [*self.verdicts, *rest], strict=True)

    # -- for people, in a terminal

    def lines(self) -> list[str]:
        """Return the report in a few lines."""
        lines = [f"{self.scenario.name}: {self.verdict()}"]
        for line in self.comparison:
            mark = {True: "as theory says", False: "DIFFERS", None: ""}[line.agrees]
            theory = "" if line.theory is None else f"{line.theory:g}"
            lines.append(
                f"  {line.what:<58} {theory:>6} {figure(line.measured):>8} {line.unit:<16} {mark}"
            )
        for stage, verdicts in self._judged() if self.capacity is None else ():
            facts = stage.record()
            rate = f"{stage.rate:g} jobs/s, " if stage.rate else ""
            lines.append(
                f"  {stage.factor:g} times: {rate}{facts['ordered']} ordered, {facts['done']} done,"
                f" {facts['unfinished']} left, waiting p95 {figure(facts['waiting']['p95'])} s,"
                f" total p95 {figure(facts['total']['p95'])} s"
            )
            lines += [
                f"    {one.target} ≤ {one.limit:g}: {figure(one.measured)}"
                f" {'met' if one.is_met else 'MISSED'}"
                for one in verdicts
            ]
        return lines

    # -- for people, in a browser

    def html(self) -> str:
        """Return the report as a page that asks for nothing from elsewhere."""
        facts = {
            "stages": [{"course": stage.course()} for stage in self.stages],
            "capacity": self.capacity and self.capacity.record(),
        }
        body = [
            *self._head(),
            *self._theory(),
            *self._capacity(),
            *self._targets(),
            *self._stages(),
        ]
        title = f"{self.scenario.name}: load test"
        return web_page(title, body, facts, scripts=[Path(__file__).with_suffix(".js")])

    def _head(self) -> list[str]:
        kind = "good" if self.passed and not self.is_interrupted else "bad"
        if kind == "good" and disagreements(self.comparison):
            kind = "plain"
        facts = [f"{self.scenario.people} users"]
        if self.rate:
            facts.append(f"workers that complete {self.rate:g} per second")
        return [
            f"<h1>{escape(self.scenario.name)}</h1>",
            f"<p>{escape(masked(self.scenario.about))}</p>",
            f'<p class="verdict {kind}">{escape(self.verdict())}</p>',
            f'<p class="quiet">{escape("; ".join(facts))}</p>',
        ]

    def _theory(self) -> list[str]:
        if not self.comparison:
            return []
        rows = [
            [
                line.what,
                "" if line.theory is None else f"{line.theory:g}",
                figure(line.measured),
                line.unit,
                _mark(line.agrees, "agrees", "differs"),
                line.because,
            ]
            for line in self.comparison
        ]
        heads = ["", "theory", "measured", "", "", "because"]
        return ["<h2>Theory and measurement</h2>", *_table(heads, rows, numbers=(1, 2))]

    def _capacity(self) -> list[str]:
        if self.capacity is None:
            return []
        rows = [
            [
                f"{step.rate:.2f}",
                f"{step.completed:.2f}",
                "" if step.growth is None else f"{step.growth.rate:+.3f}",
                "" if step.growth is None else f"{step.growth.low:+.3f} … {step.growth.high:+.3f}",
                figure(step.waiting_p95),
                f"{step.seconds:.0f}",
                _mark(step.holds, "holds", "grows") if step.holds is not None else "not sure",
            ]
            for step in self.capacity.steps
        ]
        heads = [
            "ordered/s",
            "done/s",
            "queue grows by, jobs/s",
            "between",
            "waiting p95, s",
            "s",
            "",
        ]
        return [
            "<h2>Capacity</h2>",
            f"<p>{escape(capacity_words(self.capacity))}</p>",
            '<div class="sides"><div class="side">',
            *chart(
                "curve",
                "At each rate of orders: what is completed, and what stays",
                stage="capacity",
            ),
            '</div><div class="side">',
            *chart("waits", "At each rate of orders: waiting time", stage="capacity"),
            "</div></div>",
            *_table(heads, rows, numbers=range(6)),
        ]

    def _targets(self) -> list[str]:
        if not any(self.verdicts):
            return []
        rows = [
            [
                f"{stage.factor:g}",
                "" if stage.rate is None else f"{stage.rate:g}",
                one.target,
                f"{one.limit:g}",
                figure(one.measured),
                _mark(one.is_met, "met", "missed"),
            ]
            for stage, verdicts in self._judged()
            for one in verdicts
        ]
        heads = ["times", "jobs/s", "target", "at most", "measured", ""]
        return [
            "<h2>Targets</h2>",
            "<p>By the system's own clock, of all jobs that were ordered.</p>",
            *_table(heads, rows, numbers=(0, 1, 3, 4)),
        ]

    def _stages(self) -> list[str]:
        parts: list[str] = []
        for number, stage in enumerate(self.stages):
            rate = f", {stage.rate:g} jobs ordered a second" if stage.rate else ""
            several = len(self.stages) > 1
            title = f"Stage {number + 1}{rate}" if several else "Under load"
            parts += [
                f"<h2>{escape(title)}</h2>",
                *_table(*_stage_table(stage), numbers=range(11)),
                '<div class="sides"><section class="side"><h3>What Locust sees</h3>',
                *_table(*_locust_table(stage), numbers=range(2, 8)),
                *(line for name, words in LOCUST for line in chart(name, words, stage=number)),
                '</section><section class="side"><h3>What the system knows</h3>',
                *(line for name, words in SYSTEM for line in chart(name, words, stage=number)),
                "</section></div>",
            ]
        return parts


def capacity_words(capacity: Capacity) -> str:
    """Return the capacity in a sentence."""
    sure = f"at {capacity.confidence:.0%} confidence"
    if capacity.high is None:
        return f"{capacity.low:.2f} jobs a second are sustained, and more were not tried ({sure})"
    if not capacity.low:
        return f"no rate was sustained; {capacity.high:.2f} jobs a second were not ({sure})"
    return f"{capacity.low:.2f} jobs a second are sustained, {capacity.high:.2f} are not ({sure})"


def _stage_table(stage: Stage) -> tuple[list[str], list[list[str]]]:
    facts = stage.record()
    columns = {
        "ordered": facts["ordered"], "done": facts["done"], "failed": facts["failed"],
        "left": facts["unfinished"], "lost": facts["lost"],
        "ordered/s": figure(facts["ordered_per_second"]),
        "done/s": figure(facts["completed_per_second"]),
        "queue grows by, jobs/s": figure(facts["queue_growth"]),
        "waiting p95, s": figure(facts["waiting"]["p95"]),
        "processing p95, s": figure(facts["processing"]["p95"]),
        "total p95, s": figure(facts["total"]["p95"]),
    }  # fmt: skip
    return list(columns), [[str(value) for value in columns.values()]]


def _locust_table(stage: Stage) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            row["type"], row["name"], str(row["requests"]), str(row["fails"]),
            f"{row['median']:.0f}", f"{row['p95']:.0f}", f"{row['max']:.0f}", f"{row['rate']:.1f}",
        ]
        for row in stage.record()["locust"]
    ]  # fmt: skip
    return ["type", "name", "count", "fails", "median ms", "p95 ms", "max ms", "/s"], rows


def _table(
    heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Iterable[int] = ()
) -> list[str]:
    return table(heads, rows, numbers=numbers, marks=MARKS)


def _mark(value: bool | None, good: str, bad: str) -> str:
    return "" if value is None else good if value else bad
