"""Hooks that change their process, and leave things behind: the next pages are right, the worker
says so in a line, and ends when it is told to.
"""

from __future__ import annotations

import signal

import pytest

from tests.support.deeds import crawls_of_deeds
from tests.support.ground import Ground, ended_well
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.slow

PATHS = [f"/{n}" for n in range(4)]

#: What ``extract`` does at one page, and the words of the worker about it ("": none).
DEEDS = {
    "chdir": ("os.chdir(tempfile.mkdtemp()); os.rmdir(os.getcwd())", "the working directory"),
    "umask": ("os.umask(0o777)", "the umask"),
    "locale": ("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", "the locale"),
    "signals": ("[signal.signal(n, signal.SIG_IGN) for n in (15, 10, 1)]", "signal handlers"),
    "mask": ("signal.pthread_sigmask(signal.SIG_BLOCK, [15, 10])", "the signal mask"),
    "alarm": ("signal.setitimer(signal.ITIMER_REAL, 0.2)", "a timer"),
    "timeout": ("socket.setdefaulttimeout(0.000001)", "the default time-out of sockets"),
    "streams": ("sys.stdout = sys.stderr = None", "sys.stdout or sys.stderr"),
    "path": ("sys.path.clear()", "sys.path"),
    "environment": ("os.environ.clear()", "the environment"),
    "recursion": ("sys.setrecursionlimit(120)", "the recursion limit"),
    "collector": ("gc.disable()", "the garbage collector"),
    "thread": ("threading.Thread(target=time.sleep, args=(900,)).start()", "1 thread"),
    "child": ("subprocess.Popen(['sleep', '900'])", "1 process"),
    "fork": ("os.fork()", ""),
    "fork-raises": ("if not os.fork(): raise SystemExit(1)", ""),
    "fork-sleeps": ("if not os.fork(): time.sleep(900)", "1 process"),
    "descriptors": ("os.closerange(3, 2_000)", ""),
    "standard": ("os.closerange(0, 3)", ""),
}

IMPORTS = "import gc, locale, os, signal, socket, subprocess, sys, tempfile, threading, time"


def test_what_a_hook_changes_or_leaves_harms_no_page(ground: Ground):
    # Given a worker, and a crawl for each deed, in whose hook it is done at one page
    deeds = {name: code for name, (code, _) in DEEDS.items()}
    hooks, crawls, chrome = crawls_of_deeds(ground, deeds, PATHS, at="/1", code=IMPORTS)
    worker = ground.worker(crawls=hooks)
    # When they run, one after the other, in one process
    for name, (_, words) in DEEDS.items():
        frontier = ground.crawl(crawls[name])
        ground.until_end(frontier)
        # Then each page is done, and the worker says what was left
        ended_well(frontier, ["/", *PATHS], log=ground.redis)
        line = f"{name}: the hook extract left {words}"
        ground.until(lambda line=line, words=words: not words or line in worker.said())
    # And no page was fetched twice
    assert set(chrome.counts().values()) == {len(DEEDS)}
    # And the worker ends when it is told to
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(PATIENCE)
