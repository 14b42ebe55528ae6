"""Reasons of failure are counted by kind: sites and hooks choose them."""

from __future__ import annotations

import random

import pytest

from crawler.frontier.frontier import Frontier
from crawler.frontier.kinds import kind_of
from crawler.frontier.listing import Listing
from crawler.model import FailureClass, Page
from crawler.output.report import lines, report
from crawler.storage.scripts import source
from tests.support.frontier import A, B, C, D, plan, take

#: Pages that fail, each with a reason of its own.
MANY = 2_000
KINDS_MAX = 200


def fail_each(frontier: Frontier, failures: list[tuple[FailureClass, str]]) -> None:
    frontier.enqueue([Page(f"https://shop.example/{n}") for n in range(len(failures))])
    for failure, reason in failures:
        claim = take(frontier)
        frontier.fail(claim, failure, reason)


def unlike(seed: int) -> list[tuple[FailureClass, str]]:
    """Failures whose reasons strangers chose: most of them are unlike all others."""
    rand = random.Random(seed)
    forms = [
        lambda n: (FailureClass.HOOK, f"extract: ValueError: no price at {n} (shop.py:3)"),
        lambda n: (FailureClass.HOOK, f"extract: E{n}: x"),
        lambda n: (FailureClass.TERMINAL, f"http_{n % 1000}"),
        lambda n: (FailureClass.TERMINAL, f"word_{n}"),
        lambda n: (FailureClass.TERMINAL, f"redirect_scope: leads to https://{n}.example/; allow"),
        lambda n: (FailureClass.TERMINAL, f"internal: KeyError: {n}"),
        lambda n: (FailureClass.TERMINAL, f"5{n} Busy: come back é"),
        lambda n: (FailureClass.TERMINAL, "x" * 300 + str(n)),
    ]
    return [rand.choice(forms)(n) for n in range(MANY)]


def test_thousands_of_reasons_are_counted_as_few_kinds(begin):
    frontier, _ = begin(attempts=1, breaker_failures=0)
    fail_each(frontier, unlike(1))
    seen = frontier.snapshot()
    assert len(seen.reasons) <= KINDS_MAX + 2
    assert sum(seen.reasons.values()) == seen.failed == MANY
    assert seen.reasons["extract: ValueError"] > MANY / 20
    assert seen.reasons["redirect_scope"] > MANY / 20
    assert seen.reasons["extract: other"] > 0
    assert seen.reasons["other"] > 0
    assert len(seen.examples) <= KINDS_MAX + 2
    assert len(lines(seen)) < 40


def test_the_first_of_each_kind_is_its_example_with_its_details(begin):
    frontier, _ = begin(A, B, C, attempts=1)
    frontier.fail(take(frontier), FailureClass.TERMINAL, "http_404")
    frontier.fail(take(frontier), FailureClass.HOOK, "extract: ValueError: no price (shop.py:3)")
    frontier.fail(take(frontier), FailureClass.HOOK, "extract: ValueError: no title (shop.py:4)")
    facts = report(frontier.snapshot())
    assert facts["failures"] == {"extract: ValueError": 2, "http_404": 1}
    assert facts["failure_examples"] == {
        "http_404": A,
        "extract: ValueError": f"{B} (extract: ValueError: no price (shop.py:3))",
    }
    assert f"           http_404: {A}" in lines(frontier.snapshot())
    assert Listing(frontier).failed()[2].reason == "extract: ValueError: no title (shop.py:4)"


def test_pages_that_are_retried_leave_their_kinds(begin):
    frontier, _ = begin(attempts=1, breaker_failures=0)
    fail_each(frontier, unlike(2))
    assert frontier.retry_failed() == MANY
    seen = frontier.snapshot()
    assert (seen.failed, sum(seen.reasons.values()), seen.examples) == (0, 0, {})


def test_reasons_of_an_earlier_version_are_shown_in_part(begin):
    frontier, _ = begin(D, attempts=1)
    reason = "extract: ValueError: 7 (shop.py:3)"
    frontier.fail(take(frontier), FailureClass.HOOK, reason)
    reasons, counts = frontier.key("reasons"), frontier.key("counts")
    frontier.redis.delete(reasons)
    frontier.redis.hset(reasons, mapping={f"extract: E: {n}": 1 for n in range(5_000)})
    frontier.redis.hset(reasons, reason, 1)
    frontier.redis.hset(counts, "failed", 5_001)
    seen = frontier.snapshot()
    assert len(seen.reasons) < 5 * KINDS_MAX
    assert sum(seen.reasons.values()) == 5_001
    frontier.retry_failed()
    assert not frontier.redis.hexists(reasons, reason)


@pytest.mark.parametrize("seed", range(3))
def test_scripts_and_python_agree_on_the_kind_of_a_failure(redis, seed):
    frontier = Frontier(redis, "shop")
    frontier.create(plan())
    library = source("crawler.frontier", "snapshot").partition("-- snapshot:")[0]
    library = library.partition("\n")[2]
    script = redis.register_script(library + "\nreturn kind_of(ARGV[1], ARGV[2])")
    rand = random.Random(seed)
    words = ["http_", "404", "599", "extract", "after", "internal", ": ", " ", "ValueError", "é"]
    words += ["a.b", "_", "-", "\n", "x" * 45, "leads to", "9", "Z" * 30, ":", "(a.py:3)"]
    for _ in range(1_500):
        reason = "".join(rand.choices(words, k=rand.randrange(1, 7)))
        failure = rand.choice(list(FailureClass))
        kind = script(keys=[frontier.prefix], args=[failure.value, reason]).decode()
        assert kind == kind_of(failure, reason), (failure, reason)
