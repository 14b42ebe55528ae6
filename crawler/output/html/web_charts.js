// Draws charts in the colours of the page, and again when those, or its width, change.
"use strict";

const Charts = (() => {
  const HEIGHT = 190; // pixels
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const rounded = (value) => (value == null ? "–" : String(Math.round(value * 100) / 100));

  // Options of a chart with lines (or dots) that have these names, over x in a unit.
  function options(plot, names, { unit = "s", dots = false, sync = null } = {}) {
    const grid = { stroke: colour("grid"), width: 1 };
    const axis = { stroke: colour("quiet"), grid, ticks: grid, font: "11px sans-serif" };
    const series = names.map((label, i) => ({
      label,
      stroke: colour(`line-${i + 1}`),
      width: dots ? 0 : 2,
      paths: dots ? () => null : undefined,
      points: { show: dots, size: 4, fill: colour(`line-${i + 1}`) },
      value: (_, value) => rounded(value),
    }));
    return {
      width: plot.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false }, sync: sync == null ? {} : { key: sync } },
      scales: { x: { time: false }, y: { range: (_, low, high) => [0, Math.max(1, (high || 0) * 1.1)] } },
      axes: [
        { ...axis, values: (_, values) => values.map((value) => `${value} ${unit}`) },
        { ...axis, size: 48 },
      ],
      series: [{ label: "at", value: (_, x) => (x == null ? "–" : `${Math.round(x * 10) / 10} ${unit}`) }, ...series],
    };
  }

  // Draws each place of a chart by `draw`, which returns it.
  function show(draw) {
    const drawn = [];
    function build() {
      drawn.splice(0).forEach(({ chart }) => chart.destroy());
      for (const plot of document.querySelectorAll(".plot")) {
        plot.replaceChildren();
        drawn.push({ plot, chart: draw(plot) });
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
  }

  return { facts: JSON.parse(document.getElementById("facts").textContent), options, show };
})();
