// Draws the course of a crawl: samples are [time, done, failed, queued, delayed, processing], those
// that ticks wrote down and those that this page has seen since.
"use strict";

(() => {
  const place = document.querySelector(".crawler[data-wall]");
  if (!place || typeof uPlot === "undefined") return;
  const KEPT = 4000; // samples: two hours of an open page
  const WINDOW = 30; // seconds over which a pace is measured
  const HEIGHT = 190; // pixels
  let samples = [];
  let charts = [];

  // Pages per second at each sample, over the seconds before it.
  function paces() {
    let from = 0;
    return samples.map(([time, done, failed], i) => {
      while (from < i - 1 && time - samples[from + 1][0] >= WINDOW) from += 1;
      const [before, doneBefore, failedBefore] = samples[from];
      const gone = time - before;
      if (i === 0 || gone < 1) return null;
      return Math.max(0, done + failed - doneBefore - failedBefore) / gone;
    });
  }

  // The time of day, in the time zone of the tables beside the charts.
  const offset = Number(place.querySelector(".charts").dataset.offset);
  const clock = (time, digits) => new Date((time + offset) * 1000).toISOString().slice(11, digits);
  const column = (i) => samples.map((sample) => sample[i]);
  const KINDS = {
    pace: {
      series: [["pages/s", "--crawler-line-1", 2]],
      data: () => [paces()],
      says: (values) => `Pages per second: ${(values[0] ?? 0).toFixed(2)} now`,
    },
    waiting: {
      series: [
        ["queued", "--crawler-line-1", 0], ["delayed", "--crawler-line-2", 0],
        ["in flight", "--crawler-line-3", 0],
      ],
      data: () => [column(3), column(4), column(5)],
      says: (values) => `Now ${values[0]} queued, ${values[1]} delayed, ${values[2]} in flight`,
    },
  };

  function colour(name) {
    return getComputedStyle(place).getPropertyValue(name).trim();
  }

  function make(figure) {
    const kind = KINDS[figure.dataset.chart];
    const plot = figure.querySelector(".plot");
    plot.replaceChildren();
    const grid = { stroke: colour("--crawler-grid"), width: 1 };
    const axis = { stroke: colour("--crawler-quiet"), grid, ticks: grid, font: "11px sans-serif" };
    const series = kind.series.map(([label, name, digits]) => ({
      label,
      stroke: colour(name),
      width: 2,
      points: { show: false },
      value: (_, value) => (value == null ? "–" : value.toFixed(digits)),
    }));
    const chart = new uPlot(
      {
        width: plot.clientWidth,
        height: HEIGHT,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_, low, high) => [0, Math.max(1, (high || 0) * 1.1)] } },
        axes: [
          {
            ...axis,
            space: 70,
            values: (_, times, __, ___, step) => times.map((time) => clock(time, step < 60 ? 19 : 16)),
          },
          { ...axis, size: 56 },
        ],
        series: [
          { label: "time", value: (_, time) => (time == null ? "–" : clock(time, 19)) }, ...series,
        ],
      },
      [[], ...kind.series.map(() => [])],
      plot,
    );
    return { chart, kind, plot };
  }

  function draw() {
    for (const { chart, kind, plot } of charts) {
      const data = kind.data();
      chart.setData([column(0), ...data]);
      // uPlot draws later, and clears its legend then
      requestAnimationFrame(() => {
        if (chart.cursor.idx == null && samples.length) chart.setLegend({ idx: samples.length - 1 });
      });
      plot.setAttribute("aria-label", kind.says(data.map((values) => values[values.length - 1])));
    }
  }

  function build() {
    charts.forEach(({ chart }) => chart.destroy());
    charts = [...place.querySelectorAll(".chart")].map(make);
    draw();
  }

  place.addEventListener("samples", (event) => {
    for (const sample of event.detail) {
      const newest = samples.length ? samples[samples.length - 1][0] : 0;
      if (sample[0] > newest) samples.push(sample);
    }
    samples = samples.slice(-KEPT);
    draw();
  });

  build();
  new ResizeObserver(() => {
    charts.forEach(({ chart, plot }) => {
      if (plot.clientWidth !== chart.width) chart.setSize({ width: plot.clientWidth, height: HEIGHT });
    });
  }).observe(place);
  // light and dark: by the system, or by the button of the admin
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", build);
  const theme = { attributes: true, attributeFilter: ["data-theme"] };
  new MutationObserver(build).observe(document.documentElement, theme);
})();
