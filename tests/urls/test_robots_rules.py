"""Compiled rules of robots.txt say what Protego says, and cost little whatever the file holds."""

from __future__ import annotations

import random

import pytest
from protego import Protego

from crawler.net.guard import Guard
from crawler.net.permits import EFFORT_MAX, SITES_LENGTH_MAX, Permits
from crawler.net.robots_files import RobotsFile
from crawler.urls.robots import SIZE_MAX, parse_robots
from crawler.urls.robots_rules import CompiledRules

SITE = "https://shop.example"
PIECES = (
    "/",
    "a",
    "b",
    "ab",
    "*",
    "**",
    "$",
    "?",
    "=",
    "x=1",
    "%24",
    "%41",
    "é",
    "&",
    "shop",
    "/*",
)
PIECES += ("index.html", "/index.html", ".pdf", "//", "robots.txt", "-", "_", "A", "%", "#", ";")


def file_of(rand: random.Random, rules: int) -> str:
    """A robots.txt of random rules for two groups."""
    lines = ["User-agent: *"]
    for _ in range(rules):
        if rand.random() < 0.02:
            lines.append(rand.choice(["", "User-agent: celery-crawler", "User-agent: *"]))
        field = rand.choice(["Disallow", "Allow", "Disallow", "disalow"])
        lines.append(f"{field}: {'/' * (rand.random() < 0.8)}{text_of(rand)}")
    return "\n".join(lines)


def text_of(rand: random.Random) -> str:
    return "".join(rand.choices(PIECES, k=rand.randrange(7)))


@pytest.mark.parametrize("rules", [1, 3, 12, 200])
@pytest.mark.parametrize("seed", range(5))
def test_compiled_rules_say_what_protego_says(seed, rules):
    rand = random.Random(seed)
    for _ in range(120 // rules + 1):
        file = Protego.parse(file_of(rand, rules))
        for agent in ("celery-crawler", "*"):
            compiled = CompiledRules(file, agent)
            for _ in range(60):
                url = f"{SITE}/{text_of(rand)}{text_of(rand)}"
                assert compiled.allowed(url) == file.can_fetch(url, agent), url


@pytest.mark.parametrize(
    ("rule", "effort"), [("/private/{}", 20), ("/*/x{}*y", 400), ("*z{}$", 400), ("/a*b{}c*d", 400)]
)
def test_half_a_megabyte_of_rules_takes_little_for_a_link(rule, effort):
    lines = [f"Disallow: {rule.format(n)}" for n in range(SIZE_MAX // len(rule) // 2)]
    rules = parse_robots(200, "\n".join(["User-agent: *", *lines]))
    urls = [f"{SITE}/shop/item{n}/part-{n}?colour={n}" for n in range(100)]
    assert all(rules.allowed(url) for url in urls)
    assert rules.effort < effort * len(urls)


@pytest.mark.parametrize("body", ["/" + "*a" * 200_000 + "b$", "\n".join(["Disallow: *a*b*a"] * 9)])
def test_wildcards_without_end_are_tried_within_a_bound(body):
    rules = parse_robots(200, f"User-agent: *\nDisallow: {body}\n")
    rules.allowed(f"{SITE}/{'a' * 2_000}")
    assert rules.effort < 30_000


class Answers:
    """Robots files that are there already."""

    def __init__(self, body: str) -> None:
        self.body = body

    def get(self, *_: object) -> RobotsFile:
        """Return the file of any site."""
        return RobotsFile(200, self.body, 1_000.0)


def permits_of(body: str) -> Permits:
    permits = Permits(Guard([f"{SITE}/"]))
    permits._files = Answers(body)  # type: ignore[assignment]
    return permits


def test_rules_written_to_take_long_are_tried_on_the_first_links_only():
    rand = random.Random(1)
    lines = ["Disallow: *" + "*".join(rand.choices("ab", k=16)) + "$" for _ in range(8_000)]
    permits = permits_of("\n".join(["User-agent: *", "Disallow: /secret", *lines]))
    permits._rules(SITE, "", None)
    urls = [f"{SITE}/{'ab' * 9}c/{n}" for n in range(5_000)]
    assert permits.forbidden([f"{SITE}/secret/1", *urls]) == [f"{SITE}/secret/1"]
    assert permits._sites[SITE][1].effort < 2 * EFFORT_MAX
    assert permits.forbids(f"{SITE}/secret/2")


def test_the_rules_of_many_sites_are_kept_within_a_bound():
    permits = permits_of("User-agent: *\n" + "#" * (SIZE_MAX - 20))
    for number in range(30):
        permits._rules(f"https://h{number}.example", "", None)
    assert 1 < len(permits._sites) <= SITES_LENGTH_MAX // SIZE_MAX + 1
    assert permits._sites.keys() == permits._sizes.keys()
