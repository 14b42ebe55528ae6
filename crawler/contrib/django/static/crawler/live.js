// Keeps the crawls on this page up to date, and ticks all boxes of a page.
"use strict";

(() => {
  const place = document.querySelector(".crawler");
  if (!place) return;
  const parts = [...place.querySelectorAll("[data-crawl]")];
  const shown = new Map(parts.map((part) => [part.dataset.crawl, part]));
  const away = place.querySelector("[data-away]");
  const wall = place.dataset.wall;
  let last = 0; // the time of the last sample

  function setText(element, text) {
    if (element && element.textContent !== text) element.textContent = text;
  }

  function show(crawl) {
    const part = shown.get(crawl.name);
    if (!part) return;
    for (const [name, count] of Object.entries(crawl.counts)) {
      setText(part.querySelector(`[data-count="${name}"]`), String(count)); // the list has not all
    }
    for (const [name, text] of Object.entries(crawl.times || {})) { // of a job
      setText(part.querySelector(`[data-time="${name}"]`), text);
    }
    const status = part.querySelector("[data-status]");
    status.dataset.status = crawl.status;
    status.title = crawl.reason;
    setText(status, crawl.status.toLowerCase());
    setText(part.querySelector("[data-reason]"), crawl.reason);
    setText(part.querySelector("[data-why]"), crawl.why);
    for (const form of part.querySelectorAll("[data-action]")) {
      form.hidden = !crawl.actions.includes(form.dataset.action);
    }
  }

  const links = (panel) => [...panel.querySelectorAll("a, [tabindex]")];

  // Puts a panel's text, which the server has escaped, in its place; who is on one of its links
  // with the keyboard stays there, and so does who has scrolled in it or marks a text.
  function fill(panel, html) {
    if (panel.shown === html) return;
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && panel.contains(selection.anchorNode)) return;
    const focused = links(panel).indexOf(document.activeElement);
    const scrolled = [...panel.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
    panel.innerHTML = panel.shown = html;
    panel.querySelectorAll(".scroll").forEach((box, i) => { box.scrollLeft = scrolled[i] || 0; });
    if (focused >= 0) links(panel)[focused]?.focus({ preventScroll: true });
  }

  function showWall(news) {
    const part = shown.get(news.crawl.name);
    if (news.panels && "new" in part.dataset) return location.reload(); // it was started
    show(news.crawl);
    for (const [name, html] of Object.entries(news.panels || {})) {
      const panel = part.querySelector(`[data-panel="${name}"]`);
      if (panel) fill(panel, html);
    }
    take(news.samples);
  }

  function take(samples) {
    if (!samples.length) return;
    last = samples[samples.length - 1][0];
    place.dispatchEvent(new CustomEvent("samples", { detail: samples }));
  }

  async function ask() {
    const names = new URLSearchParams([...shown.keys()].map((name) => ["name", name]));
    const answer = await fetch(wall ? `${wall}?since=${last}` : `${place.dataset.rows}?${names}`);
    if (answer.redirected) return location.reload(); // logged out meanwhile
    const news = await answer.json();
    if (news.crawl) showWall(news);
    (news.crawls || []).forEach(show);
    return news.error || "";
  }

  async function update() {
    if (!document.hidden) {
      let trouble = "";
      try {
        trouble = (await ask()) || "";
      } catch (error) {
        trouble = "This page is not up to date: the server does not answer.";
      }
      setText(away, trouble);
      away.hidden = !trouble;
    }
    setTimeout(update, Number(place.dataset.poll));
  }

  const record = document.getElementById("crawl-record");
  if (record) addEventListener("load", () => take(JSON.parse(record.textContent).samples));
  if (shown.size && (wall || place.dataset.rows)) setTimeout(update, Number(place.dataset.poll));
  document.addEventListener("visibilitychange", () => { // a page that comes to the front is old
    if (!document.hidden && shown.size && (wall || place.dataset.rows)) ask().catch(() => {});
  });

  const all = place.querySelector("[data-all]");
  if (all) {
    all.addEventListener("change", () => {
      place.querySelectorAll('input[name="id"]').forEach((box) => { box.checked = all.checked; });
    });
  }
})();
