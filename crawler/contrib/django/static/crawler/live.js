// Keeps the counts of the crawls on this page up to date, asks before what cannot be undone, and ticks all boxes of a page.
"use strict";

(() => {
  const place = document.querySelector(".crawler[data-live]");
  if (!place) return;
  const shown = new Map([...place.querySelectorAll("[data-crawl]")].map((part) => [part.dataset.crawl, part]));
  const away = place.querySelector("[data-away]");

  function show(crawl) {
    const part = shown.get(crawl.name);
    if (!part) return;
    for (const [name, count] of Object.entries(crawl.counts)) {
      part.querySelector(`[data-count="${name}"]`).textContent = count;
    }
    const status = part.querySelector("[data-status]");
    status.dataset.status = crawl.status;
    status.textContent = crawl.status.toLowerCase();
    status.title = crawl.reason;
    const reason = part.querySelector("[data-reason]");
    if (reason) reason.textContent = crawl.reason;
    for (const form of part.querySelectorAll("[data-action]")) form.hidden = !crawl.actions.includes(form.dataset.action);
  }

  async function look() {
    let trouble = "";
    if (!document.hidden) {
      try {
        const answer = await fetch(`${place.dataset.live}?${new URLSearchParams([...shown.keys()].map((name) => ["name", name]))}`);
        if (answer.redirected) return location.reload(); // logged out meanwhile
        const said = await answer.json();
        trouble = said.error || "";
        (said.crawls || []).forEach(show);
      } catch (error) {
        trouble = "The counts are not up to date: the server does not answer.";
      }
      away.textContent = trouble;
      away.hidden = !trouble;
    }
    setTimeout(look, Number(place.dataset.poll));
  }

  if (shown.size) setTimeout(look, Number(place.dataset.poll));

  place.addEventListener("submit", (event) => {
    const question = event.target.dataset.ask;
    if (question && !confirm(question)) event.preventDefault();
  });
  const all = place.querySelector("[data-all]");
  if (all) {
    all.addEventListener("change", () => place.querySelectorAll('input[name="id"]').forEach((box) => { box.checked = all.checked; }));
  }
})();
