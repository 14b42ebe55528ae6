"""The frame of a report as a page for a browser: one file with its styles, scripts and data, which
works without a network, in the light and in the dark, on a phone, and without a mouse.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ...redaction import masked
from ...text.printable import printable

#: The library that draws charts, as it comes with the pages of Django's admin (MIT licence).
UPLOT = Path(__file__).parents[2] / "contrib" / "django" / "static" / "crawler"
HERE = Path(__file__).parent
#: Nothing is asked from elsewhere, whatever is written in the page.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'"
)


def web_page(
    title: str,
    body: Iterable[str],
    facts: Any,
    *,
    styles: Sequence[Path] = (),
    scripts: Sequence[Path] = (),
    marks: Mapping[str, str] | None = None,
) -> str:
    """Return a whole page: ``body``, and ``facts``, which the scripts find as JSON in the element
    ``facts``. ``marks`` are names and contents of ``meta`` elements.
    """
    # a text in it may not end the element
    data = json.dumps(facts, separators=(",", ":")).replace("<", "\\u003c")
    files = [UPLOT / "uPlot.min.css", HERE / "web_page.css", *styles]
    style = "".join(path.read_text(encoding="utf-8") for path in files)
    sources = [UPLOT / "uPlot.iife.min.js", HERE / "web_charts.js", *scripts]
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer"><link rel="icon" href="data:,">',
            *(
                f'<meta name="{escape(name)}" content="{escape(value)}">'
                for name, value in (marks or {}).items()
            ),
            f"<title>{plain(title)}</title><style>{style}</style></head><body>",
            *body,
            f'<script type="application/json" id="facts">{data}</script>',
            *(f"<script>{path.read_text(encoding='utf-8')}</script>" for path in sources),
            "</body></html>\n",
        ]
    )


def plain(text: object) -> str:
    """Return what strangers wrote as HTML: without elements, control characters and passwords."""
    return escape(masked(printable(str(text))))


def link(url: str) -> str:
    """Return a URL as a link, if it leads to a web page and holds nothing that is secret; its
    characters have the direction of a URL.
    """
    shown = plain(url)
    if shown != escape(url) or not url.lower().startswith(("http://", "https://")):
        return f'<bdi dir="ltr">{shown}</bdi>'
    return f'<a href="{shown}" rel="noreferrer noopener nofollow"><bdi dir="ltr">{shown}</bdi></a>'


def chart(name: str, words: str, **data: object) -> list[str]:
    """Return the place of the chart ``name``, which the scripts draw, with ``words`` for what it
    shows; ``data`` goes to the script.
    """
    more = "".join(f' data-{key}="{escape(str(value))}"' for key, value in data.items())
    return [
        f"<figure><figcaption>{escape(words)}</figcaption>",
        f'<div class="plot" role="img" aria-label="{escape(words)}" data-chart="{name}"{more}>'
        "</div></figure>",
    ]


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[int] = (),
    marks: Mapping[str, str] | None = None,
    html: Iterable[int] = (),
    words: str = "",
) -> list[str]:
    """Return a table. The columns ``numbers`` stand right; those of ``html`` are HTML, all others
    text. ``marks`` are classes of cells by their text. ``words`` say what it shows, to those who
    cannot see it; it can be scrolled by keys.
    """
    right, raw, classes = set(numbers), set(html), marks or {}

    def cell(kind: str, place: int, text: str) -> str:
        name = classes.get(text) if kind == "td" else None
        name = name or ("number" if place in right else "")
        scope = ' scope="col"' if kind == "th" else ""
        inner = text if place in raw and kind == "td" else plain(text)
        return (
            f"<{kind}{scope}{f' class={chr(34)}{name}{chr(34)}' if name else ''}>{inner}</{kind}>"
        )

    label = f' role="region" tabindex="0" aria-label="{escape(words)}"' if words else ""
    caption = f'<caption class="unseen">{escape(words)}</caption>' if words else ""
    return [
        f'<div class="wide"{label}><table>{caption}<thead><tr>',
        *(cell("th", place, head) for place, head in enumerate(heads)),
        "</tr></thead><tbody>",
        *(
            "<tr>" + "".join(cell("td", place, text) for place, text in enumerate(row)) + "</tr>"
            for row in rows
        ),
        "</tbody></table></div>",
    ]


def figure(value: float | None) -> str:
    """Return a number with as many digits as one reads."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
