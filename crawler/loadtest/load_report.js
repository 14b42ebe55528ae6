// Draws the charts of a load test: columns over time, and the curve of a capacity.
"use strict";

(() => {
  const { facts, options, show } = Charts;

  // Each kind: its columns, of which the first one is x, and the names of the others.
  const KINDS = {
    times: (course) => [course.requests, ["at", "median", "p95"], ["median ms", "p95 ms"]],
    requests: (course) => [course.requests, ["at", "rate", "fails"], ["requests/s", "failures/s"]],
    queue: (course) => [course.samples, ["at", "waiting", "running"], ["waiting", "in work"]],
    oldest: (course) => [course.samples, ["at", "oldest"], ["oldest waits, s"]],
    totals: (course) => [course.jobs, ["at", "total", "open"], ["done after, s", "not done, so far, s"]],
    pace: (course) => [course.samples, ["at", "completed"], ["completed/s"]],
    busy: (course) => [course.samples, ["at", "running", "slots"], ["in work", "browsers"]],
    cpu: (course) => [course.samples, ["at", "cpu"], ["CPU %"]],
  };
  const DOTS = new Set(["totals"]);

  function ofStage(plot) {
    const { chart, stage } = plot.dataset;
    const [source, columns, names] = KINDS[chart](facts.stages[stage].course);
    const data = columns.map((name) => source[name]);
    return new uPlot(options(plot, names, { dots: DOTS.has(chart), sync: stage }), data, plot);
  }

  function ofCapacity(plot) {
    // of a rate that was tried again, the last and longest step
    const last = new Map(facts.capacity.steps.map((step) => [step.rate, step]));
    const steps = [...last.values()].sort((a, b) => a.rate - b.rate);
    const column = (name) => steps.map((step) => step[name]);
    const pace = plot.dataset.chart === "curve";
    const names = pace ? ["completed/s", "queue grows by, jobs/s"] : ["waiting p95, s"];
    const data = pace
      ? [column("rate"), column("completed"), column("growth")]
      : [column("rate"), column("waiting_p95")];
    const chosen = options(plot, names, { unit: "/s" });
    for (const one of chosen.series.slice(1)) one.points = { show: true, size: 6 };
    return new uPlot(chosen, data, plot);
  }

  show((plot) => (plot.dataset.stage === "capacity" ? ofCapacity(plot) : ofStage(plot)));
})();
