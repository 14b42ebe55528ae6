"""Write docs/hostile.md: the outcome of each hostile page on each kind of endpoint.

    python -m tests.support.hostile_table [FILE]

It takes some minutes. An endpoint that is not installed here gets no column; the page says so.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crawler.browser.chrome.local import LocalDriver
from crawler.browser.pool import Chrome
from tests.grid import Grid, missing
from tests.site.chromes import SHELL, WHOLE
from tests.site.server import Server
from tests.site.table import HOSTILE, SECTIONS
from tests.site.walk import Step, endpoint, walk

ROOT = Path(__file__).resolve().parents[2]
HEAD = """# Hostile pages

What comes of pages that mean harm, or are merely odd. Each row is a page of the test site
(`tests/site`); what is expected of it is the same wherever Chrome is (`tests/site/table.py`), and a
test asks for all of them on each endpoint, and after each of them for a good page, which must be
right. Pages of a local Chrome are fetched over its own protocol, those of the other endpoints over
WebDriver. `make test` crawls all but the largest of them with four workers; `make test-soak` crawls
all, and goes to each endpoint. `python -m tests.support.hostile_table` writes this page.

**as expected** means: the outcome was that of the second column, and the page after it was right.
Time is in seconds, on a busy machine; rows that cost a time-out had a page-load time-out of 1.5 s.

A page that is *done* has a document. One that *failed* has a reason, the HTTP status if one is
known, and a class: *retry* (it may be there later), *terminal*, *throttle* (the host asks for
patience), *crash* (it took the browser with it).

No page may open windows: Chrome's own pop-up blocker lets those pass that a click of a hook opened;
a headless shell, none.

The status of a download, and of an answer without content (204, 205, 304), is not known unless
response data is asked for: Chrome tells WebDriver nothing of an answer that makes no document.
"""


@contextmanager
def endpoints(folder: Path) -> Iterator[dict[str, Chrome]]:
    """Every kind that there is."""
    found = {}
    with ExitStack() as ending:
        if SHELL:
            found["local (headless shell)"] = Chrome(endpoint(binary=SHELL))
        if WHOLE:
            found["local (Chrome)"] = Chrome(endpoint(binary=WHOLE))
            driver = LocalDriver(folder, binary=WHOLE)
            ending.callback(driver.kill)
            found["remote ChromeDriver"] = Chrome(endpoint(url=driver.url, binary=WHOLE))
        if not missing:
            found["Grid"] = Chrome(
                endpoint(
                    url=ending.enter_context(Grid(folder / "grid", slots=4, session_timeout=20)).url
                )
            )
        for chrome in found.values():
            ending.callback(chrome.close)
        yield found


def cell(step: Step) -> str:
    """What was seen."""
    what = "as expected" if not step.faults else "; ".join(step.faults)[:120].replace("|", "/")
    return f"{what} ({step.seconds:.1f})"


def main(file: Path) -> int:
    """Walk, and write; how many rows were not as expected."""
    seen: dict[str, dict[str, Step]] = {}
    site = Server()
    with tempfile.TemporaryDirectory() as folder, endpoints(Path(folder)) as found:
        for name, chrome in found.items():
            for step in walk(chrome, site, HOSTILE):
                seen.setdefault(step.row.path, {})[name] = step
                if step.faults:
                    sys.stderr.write("\n  ".join([name, *step.faults]) + "\n")
            chrome.close()
    site.close()
    lines = [HEAD]
    if missing:
        lines.append(f"There was no Grid: {missing}.\n")
    for section, rows in SECTIONS.items():
        lines += [
            f"## {section}",
            "",
            f"| page | expected | {' | '.join(found)} |",
            "| --- " * (len(found) + 2) + "|",
        ]
        for row in rows:
            right = " or ".join(dict.fromkeys(map(str, row.right))) + (
                f" ({row.why})" if row.why else ""
            )
            cells = (cell(seen[row.path][name]) for name in found)
            lines.append(f"| `{row.path}` | {right} | {' | '.join(cells)} |")
        lines.append("")
    wrong = sum(bool(step.faults) for steps in seen.values() for step in steps.values())
    lines.append(
        f"{len(HOSTILE)} pages on {len(found)} endpoints: {len(HOSTILE) * len(found) - wrong} as"
        f" expected, {wrong} not."
    )
    file.write_text("\n".join(lines) + "\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "hostile.md") > 0)
