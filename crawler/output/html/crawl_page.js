// Draws the charts of a crawl, and shows the links of a place on the map that is pointed at, or has the focus.
"use strict";

(() => {
  const { facts, options, show } = Charts;
  const NAMES = { pace: ["done/s", "failed/s"], waiting: ["pages that wait"] };

  show((plot) => {
    const kind = plot.dataset.chart;
    return new uPlot(options(plot, NAMES[kind], { sync: "time" }), facts[kind], plot);
  });

  const map = document.querySelector(".map");
  if (!map) return;
  const paths = [...map.querySelectorAll("path")];
  function mark(node) {
    map.classList.toggle("chosen", node != null);
    for (const path of paths) path.classList.toggle("near", path.dataset.ends.split(" ").includes(node));
  }
  for (const node of map.querySelectorAll(".node")) {
    node.addEventListener("pointerenter", () => mark(node.dataset.node));
    node.addEventListener("pointerleave", () => mark(null));
    node.addEventListener("focus", () => mark(node.dataset.node));
    node.addEventListener("blur", () => mark(null));
  }
})();
