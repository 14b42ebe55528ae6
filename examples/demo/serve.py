"""Celery Books: a small bookshop to crawl. Python's standard library only; every page is made in
memory.

    python examples/demo/serve.py [--port 8765]     serve on loopback; the first line printed is the address
    python examples/demo/serve.py --count           print how many pages a crawl of it finds
    python examples/demo/serve.py --while COMMAND   serve while COMMAND runs; in it, {} stands for the address

What a crawler meets here: pagination, links that exist only after a script has fetched them, a
redirect to a page that has no other link (so both together are one page), and one page under
several spellings. No page fails.

    http://127.0.0.1:8765/members/                  orders, for members (reader, wisteria); nothing leads there
    curl -X POST http://127.0.0.1:8765/tomorrow     the next day: two books cost more, and one is sold out and gone
"""

from __future__ import annotations

import argparse
import contextlib
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, quote, unquote, urlsplit
from zlib import crc32

PER_PAGE = 6

#: What a slow script takes, in seconds: longer than the fetch beside it, and a page has loaded when
#: both are there.
SLOW = 0.3

CATALOGUE = {
    "Gardens": """
        The Patient Gardener|Ines Okafor       A Year of Celery|Tomas Lind           Soil, Slowly|Mara Benedetti
        Roots and Branches|Yusuf Demir         The Walled Orchard|Clara Whitlock     Frost Dates|Anders Holm
        Letters to a Hedge|Pilar Quintana      Night-Scented Stock|Edith Marlowe""",
    "Kitchens": """
        Stock, Broth, Soup|Lucien Arnaud       Bitter Greens|Rosa Ferrante           The Salt Almanac|Hana Suzuki
        Bread at Four|Oskar Brandt             A Knife and an Onion|Nadia Haddad     Pickled|Greta Solberg
        Sunday Oven|Marcus Bell                Mirepoix|Colette Dubois""",
    "Journeys": """
        The Slow Ferry|Ewan MacRae             Nine Bridges|Leila Farahani           A Map of Wind|Soren Dahl
        Last Train to Trieste|Bianca Moretti   Salt Road|Amadou Diallo               Under Other Stars|Keiko Mori
        The Lighthouse Round|Fiona Greer       Passes and Peaks|Reto Caflisch""",
    "Machines": """
        The Queue That Never Ended|Ada Brook   Brass and Steam|Henry Calder          Small Engines|Wanda Nowak
        Ten Thousand Spiders|Ravi Menon        A Robot Reads|June Castellan          Clockwork Lives|Piet Vermeer
        The Loom and the Code|Agnes Hollis     Signals|Dmitri Volkov""",
    "Mysteries": """
        Death of a Librarian|Vera Stanhope     The Missing Footnote|Cyril Ash        Murder, Alphabetically|Pru Hartley
        The Ink Was Wet|Jonas Weil             A Body in Biography|Mabel Frost       Overdue|Simon Crane
        The Locked Archive|Isabel Reyes        Page Ninety-Nine|Otto Kranz""",
    "Poems": """
        Rain, Revised|Aoife Brennan            Small Hours|Emil Petrov               Instructions for Bees|Lorna Swift
        The Blue Ladder|Mateo Rivas            Commas|Sylvie Laurent                 Eleven Winters|Ingrid Vik
        What the River Kept|Joseph Adeyemi     Unsent|Miriam Katz""",
}

EVENTS = {
    "An evening of ghost stories": (
        "3 November",
        "Bring a blanket. The heating is haunted as well.",
    ),
    "Seed swap and soup": (
        "12 November",
        "Swap what you have grown, and taste what others made of it.",
    ),
    "Poetry before breakfast": ("19 November", "Coffee at six, first poem at a quarter past."),
    "How a book is bound": (
        "26 November",
        "Thread, glue and patience, with our binder Wilhelmina.",
    ),
    "Maps: a walk and a talk": ("4 December", "We get lost together, and find out why."),
    "The mystery of the mystery shelf": (
        "11 December",
        "One book is in the wrong place. So is one guest.",
    ),
}

PRAISE = (
    ("Read it twice, once in the bath.", "Oona"), ("My dog liked it, too.", "Bertram"), ("It is shorter than it feels, and better.", "Xiomara"),
    ("I missed my stop, and the one after it.", "Jules"), ("A book to lend and never see again.", "Thea"), ("I laughed on page 40.", "Casimir"),
)  # fmt: skip


#: Books that cost more from the second day on, and the one that is gone then.
DEARER, SOLD_OUT = ("Frost Dates", "Small Hours"), "Pickled"


class Day:
    """The day on which the shop is, from 1."""

    number = 1


today = Day()


class Book(NamedTuple):
    """A book, where it stands, and how it can be reached: "listed", only through a "script", or
    only by a "redirect".
    """

    slug: str
    title: str
    author: str
    category: str
    reach: str
    reviewed: bool

    @property
    def number(self) -> int:
        return crc32(self.slug.encode())

    @property
    def price(self) -> str:
        dearer = self.title in DEARER and today.number > 1
        return f"€{7 + self.number % 23 + dearer}.{(50, 90, 0, 20)[self.number % 4]:02}"

    @property
    def stars(self) -> int:
        return 3 + self.number % 3


def slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def stock() -> list[Book]:
    """Every book. The last of three categories arrived today (a script links them); the last of
    "Mysteries" is the surprise.
    """
    books = []
    for category, table in CATALOGUE.items():
        entries = [
            entry.strip()
            for line in table.strip().splitlines()
            for entry in line.split("  ")
            if entry.strip()
        ]
        for place, entry in enumerate(entries):
            title, author = entry.split("|")
            last = place == len(entries) - 1
            reach = "listed"
            if last and category == "Mysteries":
                reach = "redirect"
            elif last and category in ("Gardens", "Machines", "Poems"):
                reach = "script"
            books.append(
                Book(slug(title), title, author, category, reach, reviewed=place in (0, 2, 4))
            )
    return books


BOOKS = stock()
LISTED = {
    category: [b for b in BOOKS if b.category == category and b.reach == "listed"]
    for category in CATALOGUE
}
ARRIVALS = [b for b in BOOKS if b.reach == "script"]
SURPRISE = next(b for b in BOOKS if b.reach == "redirect")


# Pages
# --------------------------------------------------------------------------------------------------------------------------

Render = Callable[[], str]


def layout(title: str, body: str, *, description: str = "") -> str:
    shelves = "".join(f'<a href="/categories/{slug(c)}/">{c}</a>' for c in CATALOGUE)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)} · Celery Books</title>
<meta name="description" content="{escape(description or title)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
</head>
<body>
<header><a class="name" href="/">{LEAF}Celery Books</a><nav>{shelves}<a href="/events/">Events</a></nav></header>
<main>{body}</main>
<footer><a href="/about/">About</a> <a href="/about/#opening-hours">Opening hours</a> <a href="/./about/#find-us">Find us</a>
<a href="/café/">Café</a> <a href="/caf%C3%A9/#menu">Menu</a> <a href="mailto:shop@celery-books.example">Write to us</a></footer>
</body>
</html>
"""


def cards(books: list[Book]) -> str:
    return '<ul class="cards">' + "".join(map(card, filter(is_here, books))) + "</ul>"


def is_here(book: Book) -> bool:
    return book.title != SOLD_OUT or today.number == 1


def card(book: Book) -> str:
    return (
        f'<li><a href="/books/{book.slug}/"><img src="/covers/{book.slug}.svg" alt="" width="150" height="210"><b>{escape(book.title)}</b></a>'
        f'<span class="by">{escape(book.author)}</span><span class="cost">{book.price}</span></li>'
    )


def front() -> str:
    picks = [books[0] for books in LISTED.values()]
    return layout(
        "Good books, slowly found",
        f"""
<section class="hero"><h1>Good books, slowly found</h1><p>{len(BOOKS)} books on six shelves, one cat, no hurry.</p>
<p><a class="button" href="/surprise">Surprise me</a></p></section>
<h2>Our favourites</h2>{cards(picks)}
<h2>Arrived today</h2><ul class="cards" id="arrivals"></ul>{fetched("arrivals")}""",
        description="A small bookshop with six shelves and a cat.",
    )


def fetched(name: str) -> str:
    """A script that fetches a list and makes its links, beside another that is slow, as on many
    real pages.
    """
    return f"""<script>
fetch("/api/{name}.json").then(answer => answer.json()).then(items => {{
  const list = document.getElementById("{name}");
  for (const item of items) list.insertAdjacentHTML("beforeend", item);
}});
</script><script async src="/visitors.js"></script>"""


def shelf(category: str, number: int) -> Render:
    books = LISTED[category]
    last = -(-len(books) // PER_PAGE)
    links = "".join(
        f"<b>{n}</b>"
        if n == number
        else f'<a href="/categories/{slug(category)}/{f"?page={n}" if n > 1 else ""}">{n}</a>'
        for n in range(1, last + 1)
    )

    def render() -> str:
        return layout(
            f"{category}, page {number}" if number > 1 else category,
            f"<h1>{category}</h1>{cards(books[(number - 1) * PER_PAGE : number * PER_PAGE])}<p class='pages'>Page {links}</p>",
        )

    return render


def book_page(book: Book) -> Render:
    others = list(CATALOGUE)
    tags = (book.category, others[(others.index(book.category) + 1 + book.number % 5) % 6])
    links = "".join(
        f'<a class="tag" href="/categories/{slug(tag)}/">{tag.lower()}</a>' for tag in tags
    )
    reviews = (
        f'<p><a href="/books/{book.slug}/reviews/">What readers say</a></p>'
        if book.reviewed
        else ""
    )

    def render() -> str:
        return layout(
            book.title,
            f"""
<article class="book"><img class="cover" src="/covers/{book.slug}.svg" alt="Cover of {escape(book.title)}" width="300" height="420">
<div><h1>{escape(book.title)}</h1><p class="author">{escape(book.author)}</p><p class="stars" data-stars="{book.stars}">{"★" * book.stars}{"☆" * (5 - book.stars)}</p>
<p class="blurb">{escape(blurb(book))}</p><p class="price">{book.price}</p><p class="stock">{3 + book.number % 9} in stock</p><p class="tags">{links}</p>{reviews}</div></article>""",
            description=blurb(book),
        )

    return render


def blurb(book: Book) -> str:
    first = (
        "A quiet book about",
        "Everything that is known about",
        "A stubborn, funny account of",
        "Forty short chapters on",
    )
    second = (
        "patience",
        "what we leave behind",
        "starting again",
        "the right tool",
        "getting lost",
    )
    third = (
        "with drawings by the author",
        "now in paperback",
        "in its ninth printing",
        "with an index that is worth reading alone",
    )
    return f"{first[book.number % 4]} {second[book.number % 5]}, {third[book.number // 7 % 4]}."


def reviews_page(book: Book) -> Render:
    chosen = [PRAISE[(book.number + i) % len(PRAISE)] for i in range(3)]
    quotes = "".join(
        f'<blockquote class="review"><p>{escape(text)}</p><cite>{name}</cite></blockquote>'
        for text, name in chosen
    )
    back = f'<p><a href="/books/{book.slug}/">Back to the book</a></p>'
    return lambda: layout(
        f"Reviews of {book.title}", f"<h1>Reviews of {escape(book.title)}</h1>{quotes}{back}"
    )


def events() -> str:
    return layout(
        "Events", f"<h1>Events</h1><ul class='events' id='events'></ul>{fetched('events')}"
    )


def event_page(name: str) -> Render:
    date, text = EVENTS[name]
    return lambda: layout(
        name,
        f"<h1>{escape(name)}</h1><p class='date'>{date}, seven o'clock</p><p class='blurb'>{escape(text)}</p>",
    )


def about() -> str:
    return layout(
        "About",
        f"""<h1>About us</h1><p>We opened in a leap year and have been a little behind since.</p>
<h2 id="opening-hours">Opening hours</h2><p>From ten until the last reader leaves.</p>
<h2 id="find-us">Find us</h2><p>On the loopback, third port on the left. {len(BOOKS)} books, and stairs.</p>""",
    )


def cafe() -> str:
    return layout(
        "Café",
        '<h1>Café</h1><h2 id="menu">Menu</h2><p>Tea, coffee, celery soup. Cake when there is cake.</p>',
    )


def routes() -> dict[str, Render]:
    """Every page, by path and query; each is one page of a crawl (the surprise by way of its
    redirect).
    """
    found: dict[str, Render] = {"/": front, "/events/": events, "/about/": about, "/café/": cafe}
    for category, books in LISTED.items():
        for number in range(1, -(-len(books) // PER_PAGE) + 1):
            found[f"/categories/{slug(category)}/" + (f"?page={number}" if number > 1 else "")] = (
                shelf(category, number)
            )
    for book in BOOKS:
        found[f"/books/{book.slug}/"] = book_page(book)
        if book.reviewed:
            found[f"/books/{book.slug}/reviews/"] = reviews_page(book)
    for name in EVENTS:
        found[f"/events/{slug(name)}/"] = event_page(name)
    return found


PAGES = routes()


# What pages are made of
# ---------------------------------------------------------------------------------------------------------

LEAF = (
    '<svg viewBox="0 0 24 24" width="26" height="26"><path d="M12 22V9M12 13C6 13 5 8 5 4c5 0 7 3 7 9m0-3c0-5 3-7 7-7 0 5-2 8-7 8" '
    'fill="none" stroke="#4d7c32" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)

STYLE = """
:root { --ink: #24301f; --leaf: #4d7c32; --paper: #fbfaf4; --line: #e2e4d3 }
* { box-sizing: border-box }
body { margin: 0; font: 17px/1.6 Georgia, "DejaVu Serif", serif; color: var(--ink); background: var(--paper) }
header, main, footer { max-width: 1080px; margin: auto; padding: 0 28px }
header { display: flex; align-items: center; flex-wrap: wrap; gap: 8px 28px; padding-block: 18px; border-bottom: 1px solid var(--line) }
.name { display: flex; gap: 8px; align-items: center; font-size: 22px; font-weight: bold; color: var(--ink) }
nav { display: flex; flex-wrap: wrap; gap: 4px 20px }
a { color: var(--leaf); text-decoration: none } a:hover { text-decoration: underline }
h1 { font-size: 40px; line-height: 1.15; margin: 32px 0 14px } h2 { margin: 40px 0 14px }
.hero { margin: 28px 0; padding: 36px 44px; border-radius: 14px; background: linear-gradient(120deg, #e4efd6, #f6f1d8) } .hero h1 { margin-top: 0 }
.button { display: inline-block; padding: 9px 22px; border-radius: 99px; background: var(--leaf); color: white }
.cards { display: grid; grid-template-columns: repeat(auto-fill, 150px); gap: 30px 24px; padding: 0; list-style: none }
.cards b { display: block; margin-top: 8px; line-height: 1.25 } .cards span { display: block; font-size: 15px; color: #66705c }
.cards img, .cover { display: block; border-radius: 4px; box-shadow: 0 4px 14px #24301f30 }
.book { display: flex; flex-wrap: wrap; gap: 44px; margin-top: 36px } .book h1 { margin-top: 0 } .book div { flex: 1; min-width: 300px }
.author, .date { font-style: italic } .stars { color: #c08a1e; letter-spacing: 3px } .price { font-size: 28px; margin: 0 } .stock { margin: 0; color: #66705c }
.tag { margin-right: 8px; padding: 3px 12px; border: 1px solid var(--line); border-radius: 99px; font-size: 15px; background: white }
.pages { margin-top: 36px } .pages a, .pages b { padding: 4px 10px }
.events { padding: 0; list-style: none } .events li { padding: 14px 0; border-bottom: 1px solid var(--line) } .events span { float: right; color: #66705c }
.review { margin: 20px 0; padding: 2px 24px; border-left: 4px solid #b9d39a; background: white } cite { color: #66705c }
footer { margin-top: 72px; padding-block: 24px; border-top: 1px solid var(--line); font-size: 15px } footer a { margin-right: 18px }
"""


def cover(book: Book) -> str:
    """A cover of its own for each book: colours, a pattern and the title."""
    hue, kind = book.number % 360, book.number // 360 % 3
    shapes = "".join(
        (
            f'<circle cx="{40 + 55 * (i % 5)}" cy="{215 + 55 * (i // 5)}" r="{8 + (book.number >> i) % 17}"/>',
            f'<path d="M0 {210 + 22 * i} Q 75 {170 + 22 * i + (book.number >> i) % 40} 150 {210 + 22 * i} T 300 {210 + 22 * i} V 420 H 0" opacity=".18"/>',
            f'<rect x="{20 + 26 * (i % 10)}" y="{360 - 30 - (book.number >> i) % 120}" width="14" height="{30 + (book.number >> i) % 120}"/>',
        )[kind]
        for i in range(10)
    )
    lines, line = [], ""
    for word in book.title.split():
        if len(line) + len(word) > 12 and line:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    title = "".join(
        f'<text x="28" y="{70 + 40 * i}">{escape(text)}</text>'
        for i, text in enumerate([*lines, line])
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 420"><rect width="300" height="420" fill="hsl({hue} 38% 34%)"/>'
        f'<g fill="hsl({(hue + 40) % 360} 52% 66%)">{shapes}</g><rect width="12" height="420" fill="#0002"/>'
        f'<g fill="#fffbe9" font-family="Georgia, DejaVu Serif, serif" font-size="32" font-weight="bold">{title}</g>'
        f'<text x="28" y="394" fill="#fffbe9" font-family="Georgia, DejaVu Serif, serif" font-size="17">{escape(book.author)}</text></svg>'
    )


FILES: dict[str, tuple[str, str]] = {
    "/robots.txt": ("text/plain", "User-agent: *\nAllow: /\n"),
    "/style.css": ("text/css", STYLE),
    "/favicon.svg": (
        "image/svg+xml",
        LEAF.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '),
    ),
    "/favicon.ico": (
        "image/svg+xml",
        LEAF.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '),
    ),
    "/api/arrivals.json": ("application/json", json.dumps([card(b) for b in ARRIVALS])),
    "/api/events.json": (
        "application/json",
        json.dumps(
            [
                f'<li><a href="/events/{slug(n)}/">{escape(n)}</a><span>{date}</span></li>'
                for n, (date, _) in EVENTS.items()
            ]
        ),
    ),
    "/visitors.js": ("text/javascript", "document.documentElement.dataset.visitors = '7';\n"),
    **{f"/covers/{b.slug}.svg": ("image/svg+xml", cover(b)) for b in BOOKS},
}


# Members
# ---------------------------------------------------------------------------------------------------------------------

MEMBER, PASSWORD = "reader", "wisteria"
ORDERS = BOOKS[::4]

#: Pages that a member sees until the shop forgets who it is.
VISIT = 9


class Members:
    """Who has logged in: by their cookie, the pages that they may still see."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.visits: dict[str, int] = {}
        self.forms: set[str] = set()
        self.log_ins = 0

    def token(self) -> str:
        """What is hidden in a form, so that it is known when it comes back."""
        token = secrets.token_hex(8)
        self.forms.add(token)
        return token

    def form(self, wrong: bool = False) -> str:
        """The page with the form; what is hidden in it serves once."""
        token = self.token()
        return layout(
            "Members",
            f"<h1>Members</h1>{'<p class=wrong>That is not right.</p>' if wrong else ''}"
            '<form class="enter" method="post" action="/members/enter/">'
            f'<input type="hidden" name="token" value="{token}"><input name="user" placeholder="name">'
            ' <input name="password" type="password" placeholder="password">'
            ' <button class="button">Enter</button></form>',
        )

    def enter(self, form: dict[str, list[str]]) -> str | None:
        """The cookie of somebody who logs in; None: something is wrong."""
        said = {name: values[0] for name, values in form.items()}
        with self.lock:
            known = said.get("token", "") in self.forms
            self.forms.discard(said.get("token", ""))
            if not known or (said.get("user"), said.get("password")) != (MEMBER, PASSWORD):
                return None
            self.log_ins += 1
            cookie = secrets.token_hex(8)
            self.visits[cookie] = VISIT
        return cookie

    def knows(self, cookie: str) -> bool:
        """Whether this is a member; counted."""
        with self.lock:
            self.visits[cookie] = self.visits.get(cookie, 0) - 1
            return self.visits[cookie] >= 0

    def page(self, path: str) -> str | None:
        """A page for members."""
        if path == "/members/":
            links = "".join(
                f'<li><a href="/members/orders/{n}/">Order {n}</a><span>{escape(book.title)}</span></li>'
                for n, book in enumerate(ORDERS, 1)
            )
            return layout(
                "Orders",
                f'<h1>Orders</h1><p class="member">{MEMBER}</p><ul class="events">{links}</ul>',
            )
        number = path.removeprefix("/members/orders/").strip("/")
        if not number.isdecimal() or not 1 <= int(number) <= len(ORDERS):
            return None
        book = ORDERS[int(number) - 1]
        return layout(
            f"Order {number}",
            f'<h1>Order {number}</h1><p class="member">{MEMBER}</p><p class="title">{escape(book.title)}</p>'
            f'<p class="author">{escape(book.author)}</p><p class="copies">{int(number) % 3 + 1}</p>',
        )


members = Members()


# Search
# ---------------------------------------------------------------------------------------------------------------------

HITS_PER_PAGE = 5


def search_form(token: str = "") -> str:
    """The form; what is hidden in it is asked for with each search."""
    return (
        '<form class="search" method="post" action="/search/">'
        f'<input type="hidden" name="token" value="{token or members.token()}">'
        '<input name="words" placeholder="title or author"> <button class="button">Search</button></form>'
    )


def search_page(form: dict[str, list[str]]) -> str | None:
    """What a search finds, a page of it; None: it does not come from our form."""
    said = {name: values[0] for name, values in form.items()}
    words, number = said.get("words", ""), int(said.get("page", "1"))
    if said.get("token", "") not in members.forms:
        return None
    found = [b for b in BOOKS if is_here(b) and words.lower() in f"{b.title} {b.author}".lower()]
    last = max(1, -(-len(found) // HITS_PER_PAGE))
    here = found[(number - 1) * HITS_PER_PAGE : number * HITS_PER_PAGE]
    more = (
        f'<button class="next" name="page" value="{number + 1}">More</button>'
        if number < last
        else ""
    )
    return layout(
        f"{words}, page {number}",
        f'<h1>{escape(words)}</h1><p class="found">{len(found)} books</p>{cards(here)}{more}{search_form(said["token"])}',
    )


# Apartments, of the estate agent upstairs
# ---------------------------------------------------------------------------------------------------------------------

APARTMENTS, APARTMENTS_PER_PAGE = 160, 20
STREETS = ("Elm Street", "Harbour Lane", "Mill Road", "Orchard Way", "Station Square")
DISTRICTS = ("Old Town", "Riverside", "Hillcrest", "Northgate")


def apartments(number: int) -> str:
    """A page of the list of apartments."""
    first = (number - 1) * APARTMENTS_PER_PAGE + 1
    rows = "".join(
        f'<li class="listing"><a href="/apartments/{n}/">{address(n)}</a></li>'
        for n in range(first, min(first + APARTMENTS_PER_PAGE, APARTMENTS + 1))
    )
    last = number * APARTMENTS_PER_PAGE >= APARTMENTS
    more = "" if last else f'<a class="next" href="/apartments/?page={number + 1}">More</a>'
    return layout(f"Apartments, page {number}", f"<h1>Apartments</h1><ul>{rows}</ul>{more}")


def address(n: int) -> str:
    """The address of an apartment."""
    return f"{n % 90 + 1} {STREETS[n % len(STREETS)]}"


def apartment(n: int) -> str:
    """The page of an apartment."""
    number = crc32(str(n).encode())
    area = 30 + number % 90
    facts = {
        "rooms": f"{1 + area // 25} rooms",
        "area": f"{area} m²",
        "floor": f"Floor {number % 6}",
        "built": f"Built in {1900 + number % 120}",
        "heating": ("gas", "district heating", "heat pump")[number % 3],
        "deposit": f"€{area * 40:,}",
        "free": f"{number % 28 + 1} March 2027",
    }
    rows = "".join(f'<dt>{name}</dt><dd class="{name}">{text}</dd>' for name, text in facts.items())
    return layout(
        address(n),
        f'<h1>{address(n)}</h1><p class="district">{DISTRICTS[number % len(DISTRICTS)]}</p>'
        f'<p class="rent">€{area * 20:,} a month</p><dl>{rows}</dl>'
        f'<a class="agent" href="/about/">Agent {number % 7 + 1}</a>',
    )


def apartments_at(path: str, number: str) -> str | None:
    """The page of the agent at ``path``; None: there is none."""
    name = path.removeprefix("/apartments/").strip("/")
    if not name and number.isdecimal():
        return apartments(int(number))
    return apartment(int(name)) if name.isdecimal() and 0 < int(name) <= APARTMENTS else None


# The server
# ---------------------------------------------------------------------------------------------------------------------


#: Paths that are gone from the second day on.
GONE = ((), (f"/books/{slug(SOLD_OUT)}/",))


class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        path = unquote(asked.path)
        number = parse_qs(asked.query).get("page", ["1"])[0]
        if path.startswith("/members/"):
            self.for_members(path)
        elif path == "/search/":
            self.answer(200, "text/html", layout("Search", f"<h1>Search</h1>{search_form()}"))
        elif path.startswith("/apartments/") and (page := apartments_at(path, number)):
            self.answer(200, "text/html", page)
        elif path == "/surprise":
            self.answer(302, "text/plain", "", location=f"/books/{SURPRISE.slug}/")
        elif path in FILES:
            if path == "/visitors.js":
                time.sleep(SLOW)
            self.answer(200, *FILES[path])
        elif (
            page := PAGES.get(path if number == "1" else f"{path}?page={number}")
        ) and not path.startswith(GONE[today.number > 1]):
            self.answer(200, "text/html", page())
        else:
            self.answer(
                404,
                "text/html",
                layout("Not found", "<h1>Not on our shelves</h1><p>Ask the cat.</p>"),
            )

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.path == "/members/enter/":
            if cookie := members.enter(parse_qs(text)):
                self.answer(303, "text/plain", "", location="/members/", cookie=cookie)
            else:
                self.answer(403, "text/html", members.form(wrong=True))
            return
        if self.path == "/search/":
            page = search_page(parse_qs(text))
            self.answer(200 if page else 403, "text/html", page or layout("No", "<h1>No</h1>"))
            return
        if self.path == "/tomorrow":
            today.number += 1
        self.answer(200, "text/plain", f"day {today.number}\n")

    def for_members(self, path: str) -> None:
        """Answer a member with a page, and everybody else with the way to the form."""
        cookie = SimpleCookie(self.headers.get("Cookie", "")).get("member")
        if path == "/members/log-ins":  # for whoever wonders
            self.answer(200, "text/plain", str(members.log_ins))
        elif path == "/members/enter/":
            self.answer(200, "text/html", members.form())
        elif not (cookie and members.knows(cookie.value)):
            self.answer(302, "text/plain", "", location="/members/enter/")
        elif page := members.page(path):
            self.answer(200, "text/html", page)
        else:
            self.answer(404, "text/html", layout("Not found", "<h1>No such order</h1>"))

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def answer(
        self, status: int, kind: str, text: str, *, location: str = "", cookie: str = ""
    ) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", quote(location))
        if cookie:
            self.send_header(
                "Set-Cookie", f"member={cookie}; Path=/members/; HttpOnly; SameSite=Lax"
            )
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: whoever crawls, logs."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """A browser that hangs up is no error."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Serve Celery Books, a small bookshop to crawl, on loopback."
    )
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        help="0, the default, takes a free one (8765 for --while, if it is)",
    )
    parser.add_argument(
        "--count", action="store_true", help="print how many pages a crawl finds, and end"
    )
    parser.add_argument(
        "--while",
        dest="command",
        nargs=argparse.REMAINDER,
        help="serve while this command runs; {} is the address",
    )
    options = parser.parse_args()
    if options.count:
        print(len(PAGES))
        return 0
    with listening(options.port, preferred=8765 if options.command else 0) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        if options.command:
            return serve_while(
                server, [address if word == "{}" else word for word in options.command]
            )
        print(address, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def listening(port: int, preferred: int) -> Server:
    """A server on ``port``; on ``preferred`` if any will do, so that a crawl of it has the same
    name each time.
    """
    with contextlib.suppress(OSError):
        return Server(("127.0.0.1", port or preferred), Shop)
    return Server(("127.0.0.1", port), Shop)


def serve_while(server: Server, command: list[str]) -> int:
    """Serve until ``command`` ends; its exit status. An interrupt is the command's to handle: both
    of us get it.
    """
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.signal(signal.SIGINT, lambda *_: None)
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        status = process.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
