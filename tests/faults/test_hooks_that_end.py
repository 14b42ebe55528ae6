"""Hooks that raise what ends a process, or signal and kill their own: the page fails, once, with
its reason, and the other pages are done.
"""

from __future__ import annotations

import pytest

from crawler.definition.loading import load_all
from crawler.frontier.listing import Listing
from crawler.frontier.outbox import Outbox
from tests.support.deeds import HOOKS, crawls_of_deeds
from tests.support.ground import Ground, consistent, ended_well, on_site
from tests.support.webdriver import Doc

PATHS = [f"/{n}" for n in range(4)]

#: A crawl for each deed, done by ``extract`` at one page.
DEEDS = {
    "exit": "sys.exit('enough')",
    "interrupt": "raise KeyboardInterrupt",
    "cancelled": "raise asyncio.CancelledError('cut')",
    "generator": "raise GeneratorExit",
    "own-base": "raise Own('mine')",
    "group": "raise BaseExceptionGroup('all', [SystemExit(1), ValueError(2)])",
    "retry": "raise celery.exceptions.Retry('again')",
    "reject": "raise celery.exceptions.Reject('back', requeue=True)",
    "ignore": "raise celery.exceptions.Ignore",
    "worker-shutdown": "raise celery.exceptions.WorkerShutdown(0)",
    "worker-terminate": "raise celery.exceptions.WorkerTerminate(1)",
    "soft-limit": "raise celery.exceptions.SoftTimeLimitExceeded",
    "time-limit": "raise celery.exceptions.TimeLimitExceeded(3)",
    "worker-lost": "raise celery.exceptions.WorkerLostError('gone')",
    "memory": "raise MemoryError('too much')",
    "half-lines": "raise Own('a\\ud83d\\nb\\ude00')",
    "mute": "raise Mute",
    "text-exits": "raise Exits",
    "no-text": "raise NoText",
    "other-text": "raise OtherText",
    "huge": "raise ValueError('x' * 50_000_000)",
    "no-notes": "raise NoNotes('locked')",
    "two-arguments": "raise Two(1, 2)",
    "reduces": "raise Reduces('bad pickle')",
    "chain": "chain(3_000)",
}
#: The beginning of the reason of each.
REASONS = {
    "exit": "SystemExit: enough",
    "interrupt": "KeyboardInterrupt",
    "cancelled": "CancelledError: cut",
    "generator": "GeneratorExit",
    "own-base": "Own: mine",
    "group": "BaseExceptionGroup: all (2 sub-exceptions)",
    "retry": "Retry: ",
    "reject": "Reject: ",
    "ignore": "Ignore",
    "worker-shutdown": "WorkerShutdown: 0",
    "worker-terminate": "WorkerTerminate: 1",
    "soft-limit": "SoftTimeLimitExceeded",
    "time-limit": "TimeLimitExceeded: ",
    "worker-lost": "WorkerLostError: gone",
    "memory": "MemoryError: too much",
    "half-lines": "Own: a\ufffd",
    "mute": "Mute",
    "text-exits": "Exits",
    "no-text": "NoText",
    "other-text": "OtherText",
    "huge": "ValueError: xxx",
    "no-notes": "NoNotes: locked",
    "two-arguments": "Two: 1",
    "reduces": "Reduces: bad pickle",
    "chain": "ValueError: 3000",
}

CODE = """
import asyncio, os, signal, sys
import celery.exceptions

class Own(BaseException): ...

class Mute(Exception):
    def __str__(self):
        raise SystemError("no text")
    __repr__ = __str__

class Exits(Exception):
    def __str__(self):
        sys.exit(3)
    __repr__ = __str__

class NoText(Exception):
    def __str__(self):
        return 42
    __repr__ = __str__

class Text(str):
    def __getattribute__(self, name):
        os._exit(9)
    def __format__(self, spec):
        os._exit(9)

class OtherText(Exception):
    def __str__(self):
        return Text("text")
    __repr__ = __str__

class NoNotes(Exception):
    __notes__ = ()
    def __setattr__(self, name, value):
        raise TypeError("locked")

class Two(Exception):
    def __init__(self, one, two):
        super().__init__(one)

class Reduces(Exception):
    def __reduce__(self):
        return (os._exit, (7,))

def chain(length):
    error = None
    for n in range(length + 1):
        try:
            raise ValueError(n) from error
        except ValueError as raised:
            error = raised
    raise error
"""


@pytest.mark.slow
def test_whatever_a_hook_raises_fails_its_page_once(ground: Ground):
    # Given crawls whose hook raises something else each, at one page
    hooks, crawls, chrome = crawls_of_deeds(ground, DEEDS, PATHS, at="/3", code=CODE)
    worker = ground.worker(2, crawls=hooks)
    # When all of them run
    frontiers = {name: ground.crawl(crawls[name]) for name in DEEDS}
    # Then each has failed that page, with its reason, and done the others
    for name, frontier in frontiers.items():
        ground.until_end(frontier, 120)
        failed = Listing(frontier).failed()
        assert [page.page.url for page in failed] == [on_site("/3")]
        assert failed[0].reason.startswith(f"extract: {REASONS[name]}"), failed
        reasons = {"/3": failed[0].reason}
        ended_well(frontier, {"/", *PATHS} - {"/3"}, reasons, log=ground.redis)
    # And no page was fetched twice, and the worker lives
    assert set(chrome.counts().values()) == {len(DEEDS)}
    assert worker.process.poll() is None


#: The scripted Chrome has no log-ins for the others, which are called in the same way.
STEPS = ("before", "extract", "filter", "scope")
DELIVERED = ("after", "failed", "after_all")

EVERY_HOOK = """
def leave(**_):
    sys.exit("enough")

def made(step):
    fields = {"scope": lambda url: sys.exit("enough")} if step == "scope" else {}
    one = crawl(step.replace("_", "-"), attempts=1, after_attempts=1, **fields)
    if step not in ("scope", "extract"):
        one.extract(lambda page: {"url": page.url})
    if step != "scope":
        getattr(one, step)(leave)
    return one
"""


@pytest.mark.slow
def test_an_exit_in_any_hook_is_an_error_of_it(ground: Ground):
    # Given a crawl for each hook, which exits
    names = (*STEPS, *DELIVERED, "start")
    hooks = ground.folder / "hooks.py"
    made = "\n".join(f"c_{name} = made({name!r})" for name in names)
    hooks.write_text(f"{HOOKS}\n{CODE}\n{EVERY_HOOK}\n{made}")
    ground.chrome_on({"/": Doc(links=["/gone"]), "/gone": Doc(status=404)})
    worker = ground.worker(crawls=str(hooks))
    crawls = load_all([str(hooks)])
    # When they run
    frontiers = {
        name: ground.crawl(crawls[name.replace("_", "-")], wake=name != "start") for name in names
    }
    # Then a step's page has failed with that reason
    for name in STEPS:
        ground.until_end(frontiers[name])
        reasons = {page.page.url: page.reason for page in Listing(frontiers[name]).failed()}
        assert reasons[on_site("/")].startswith(f"{name}: SystemExit: enough (hooks.py:")
    # And a delivery is given up after as many attempts as it has
    for name in DELIVERED:
        ground.until_end(frontiers[name])
        letters = ground.until(lambda name=name: Outbox(frontiers[name]).undelivered())
        assert all(letter.reason.startswith("SystemExit: enough") for letter in letters)
    # And a run that could not be started says why
    error = ground.until(frontiers["start"].start_error)
    assert error.startswith("HookFailed: SystemExit: enough (hooks.py:")
    assert worker.process.poll() is None


KILLS = {
    "os-exit": "os._exit(3)",
    "sigkill": "os.kill(os.getpid(), signal.SIGKILL)",
    "sigterm": "os.kill(os.getpid(), signal.SIGTERM)",
    "sigquit": "os.kill(os.getpid(), signal.SIGQUIT)",
    "sighup": "os.kill(os.getpid(), signal.SIGHUP)",
    "abort": "os.abort()",
    "segv": "os.kill(os.getpid(), signal.SIGSEGV)",
}


@pytest.mark.slow
def test_a_hook_that_kills_its_process_ends_as_poison(ground: Ground):
    # Given crawls whose hook kills its process at one page, in another way each
    hooks, crawls, chrome = crawls_of_deeds(ground, KILLS, PATHS, at="/3", code=CODE)
    worker = ground.worker(2, crawls=hooks)
    # When all of them run
    strikes = 2
    frontiers = {
        name: ground.crawl(crawls[name], crash_strikes=strikes, lease=2.0) for name in KILLS
    }
    # Then each strike has been one fetch of that page, and no other page has suffered
    for frontier in frontiers.values():
        ground.until_end(frontier, 150)
        assert consistent(frontier).failed == 1
        ended_well(frontier, {"/", *PATHS} - {"/3"}, {"/3": "poison"}, log=ground.redis)
    assert chrome.count("/3") == strikes * len(KILLS)
    assert worker.process.poll() is None
