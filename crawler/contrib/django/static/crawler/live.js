// Keeps the counts of the crawls on this page up to date, asks before what cannot be undone, and
// ticks all boxes of a page.
"use strict";

(() => {
  const place = document.querySelector(".crawler[data-live]");
  if (!place) return;
  const parts = [...place.querySelectorAll("[data-crawl]")];
  const shown = new Map(parts.map((part) => [part.dataset.crawl, part]));
  const away = place.querySelector("[data-away]");

  function show(crawl) {
    const part = shown.get(crawl.name);
    if (!part) return;
    for (const [name, count] of Object.entries(crawl.counts)) {
      const cell = part.querySelector(`[data-count="${name}"]`); // the list has not all of them
      if (cell) cell.textContent = count;
    }
    const status = part.querySelector("[data-status]");
    status.dataset.status = crawl.status;
    status.textContent = crawl.status.toLowerCase();
    status.title = crawl.reason;
    const reason = part.querySelector("[data-reason]");
    if (reason) reason.textContent = crawl.reason;
    for (const form of part.querySelectorAll("[data-action]")) {
      form.hidden = !crawl.actions.includes(form.dataset.action);
    }
  }

  async function update() {
    let trouble = "";
    if (!document.hidden) {
      try {
        const names = new URLSearchParams([...shown.keys()].map((name) => ["name", name]));
        const answer = await fetch(`${place.dataset.live}?${names}`);
        if (answer.redirected) return location.reload(); // logged out meanwhile
        const news = await answer.json();
        trouble = news.error || "";
        (news.crawls || []).forEach(show);
      } catch (error) {
        trouble = "The counts are not up to date: the server does not answer.";
      }
      away.textContent = trouble;
      away.hidden = !trouble;
    }
    setTimeout(update, Number(place.dataset.poll));
  }

  if (shown.size) setTimeout(update, Number(place.dataset.poll));

  place.addEventListener("submit", (event) => {
    const question = event.target.dataset.ask;
    if (question && !confirm(question)) event.preventDefault();
  });
  const all = place.querySelector("[data-all]");
  if (all) {
    all.addEventListener("change", () => {
      place.querySelectorAll('input[name="id"]').forEach((box) => { box.checked = all.checked; });
    });
  }
})();
