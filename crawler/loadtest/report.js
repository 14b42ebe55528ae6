// Draws the charts of a load test: columns over time, and the curve of a capacity.
"use strict";

(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const HEIGHT = 190; // pixels
  const drawn = [];
  const style = getComputedStyle(document.documentElement);
  const colour = (number) => style.getPropertyValue(`--line-${number}`).trim();

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

  function options(plot, names, dots, unit) {
    const quiet = style.getPropertyValue("--quiet").trim();
    const grid = { stroke: style.getPropertyValue("--grid").trim(), width: 1 };
    const axis = { stroke: quiet, grid, ticks: grid, font: "11px sans-serif" };
    const series = names.map((label, i) => ({
      label,
      stroke: colour(i + 1),
      width: dots ? 0 : 2,
      paths: dots ? () => null : undefined,
      points: { show: dots, size: 4, fill: colour(i + 1) },
      value: (_, value) => (value == null ? "–" : String(Math.round(value * 100) / 100)),
    }));
    return {
      width: plot.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false }, sync: unit === "s" ? { key: plot.dataset.stage } : {} },
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(1, (high || 0) * 1.1)] } },
      axes: [
        { ...axis, values: (_, values) => values.map((value) => `${value} ${unit}`) },
        { ...axis, size: 48 },
      ],
      series: [{ label: "at", value: (_, x) => (x == null ? "–" : `${Math.round(x * 10) / 10} ${unit}`) }, ...series],
    };
  }

  function ofStage(plot) {
    const [source, columns, names] = KINDS[plot.dataset.chart](facts.stages[plot.dataset.stage].course);
    const data = columns.map((name) => source[name]);
    return new uPlot(options(plot, names, DOTS.has(plot.dataset.chart), "s"), data, plot);
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
    const chosen = options(plot, names, false, "/s");
    for (const one of chosen.series.slice(1)) one.points = { show: true, size: 6 };
    return new uPlot(chosen, data, plot);
  }

  function build() {
    drawn.splice(0).forEach(({ chart }) => chart.destroy());
    for (const plot of document.querySelectorAll(".plot")) {
      plot.replaceChildren();
      drawn.push({ plot, chart: plot.dataset.stage === "capacity" ? ofCapacity(plot) : ofStage(plot) });
    }
    requestAnimationFrame(legends);
  }

  // uPlot draws later, and clears its legend then; without a cursor it shows the last values
  function legends() {
    for (const { chart } of drawn) {
      if (chart.cursor.idx == null) chart.setLegend({ idx: chart.data[0].length - 1 });
    }
  }

  build();
  new ResizeObserver(() => {
    for (const { plot, chart } of drawn) {
      if (plot.clientWidth !== chart.width) chart.setSize({ width: plot.clientWidth, height: HEIGHT });
    }
  }).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
})();
