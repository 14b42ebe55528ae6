"""The floor: bare Selenium, a Chrome per process, the URLs known in advance, and one script per
page that collects it.
"""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.synchronize import Barrier
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from .sample import Sample, sample, wrong_pages
from .usage import Watch

#: Pages that each session loads before the clock starts.
WARM = 8
#: Answers when the content is there, which on most sites it is at once.
COLLECT = """
const done = arguments[arguments.length - 1];
const look = () => {
  const word = document.getElementById("word");
  if (!word) return false;
  done([document.title, word.textContent, [...new Set(Array.from(document.links, (a) => a.href))]]);
  return true;
};
const wait = (_, observer) => look() && observer.disconnect();
if (!look()) new MutationObserver(wait).observe(document, {childList: true, subtree: true});
"""


def session(
    number: int,
    sessions: int,
    urls: list[str],
    binary: str,
    driver: str,
    flags: list[str],
    gate: Barrier,
    answers: Any,
) -> None:
    """One session: its share of the URLs."""
    options = ChromeOptions()
    options.binary_location = binary
    for flag in flags:
        options.add_argument(flag)
    chrome = Chrome(options=options, service=Service(driver))
    try:

        def load(url: str) -> tuple[str, str, list[str]]:
            chrome.get(url)
            return chrome.execute_async_script(COLLECT)  # type: ignore[no-any-return]

        for url in urls[:WARM]:
            load(url)
        gate.wait()
        gate.wait()
        got = []
        for at in range(number, len(urls), sessions):
            title, word, links = load(urls[at])
            got.append((at, title, word, len(links)))
        gate.wait()
        answers.put(got)
        gate.wait()
    finally:
        chrome.quit()


def run(
    address: str, kind: str, sessions: int, pages: int, binary: str, driver: str, flags: list[str]
) -> Sample:
    """Load each page once."""
    context = multiprocessing.get_context("spawn")
    gate, answers = context.Barrier(sessions + 1), context.Queue()
    urls = [f"{address}/{kind}/{number}" for number in range(pages)]
    workers = [
        context.Process(
            target=session,
            args=(number, sessions, urls, binary, driver, flags, gate, answers),
            daemon=False,
        )
        for number in range(sessions)
    ]
    for worker in workers:
        worker.start()
    gate.wait()
    watch = Watch(*(worker.pid or 0 for worker in workers))
    before, began = watch.look(), time.perf_counter()
    gate.wait()
    gate.wait()
    seconds, after = time.perf_counter() - began, watch.look()
    got = [one for _ in workers for one in answers.get()]
    peak = watch.peak()
    watch.stop()
    gate.wait()
    for worker in workers:
        worker.join()
    return sample(seconds, before, after, peak, pages, wrong_pages(pages, got))
