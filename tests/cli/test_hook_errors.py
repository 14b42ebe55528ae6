"""The error of a hook as a user sees it: what, which hook at which page, and the line of code."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser
pytest_plugins = ["tests.site.shop"]

CRAWL = """
from crawler import Crawl

def price(text):
    return {{"text": text}}["price"]

shop = Crawl(name="shop", url="{url}", depth_limit=0)

@shop.before_all
def log_in(browser):
    {before_all}

@shop.logged_out
def is_out(page):
    {logged_out}
"""
#: The line in which ``price`` raises.
LINE = "shop.py:5"


@pytest.mark.parametrize("step", ["logged_out", "before_all"])
def test_run_shows_the_error_of_a_hook_in_three_lines(step, folder, shop):
    code = {"before_all": "pass", "logged_out": "pass"} | {step: "price(1)"}
    (folder.path / "shop.py").write_text(CRAWL.format(url=shop, **code))
    done = folder.run("run", "shop.py")
    assert done.returncode == 1
    said = done.stderr[done.stderr.index("Error: ") :]
    assert said.splitlines() == [
        "Error: KeyError: 'price'",
        f"  raised by the hook {step} of the crawl shop at {shop}",
        f"  {LINE}",
    ]
    if step == "before_all":
        assert "Traceback" in folder.run("-v", "run", "shop.py").stderr


def test_the_report_of_a_start_names_the_line_of_its_hook(folder, shop):
    (folder.path / "shop.py").write_text(
        CRAWL.format(url=shop, before_all="price(1)", logged_out=0)
    )
    done = folder.run("start", "shop.py", "-c", "1")
    assert done.returncode == 1
    assert f"before_all failed: KeyError: 'price' ({LINE})" in done.stdout


def test_a_start_waits_for_the_hook_of_the_end(folder, shop):
    # Given a crawl whose last hook raises in each of its two attempts
    (folder.path / "shop.py").write_text(
        f"from crawler import Crawl\nshop = Crawl(name='shop', url='{shop}', depth_limit=0,"
        " after_attempts=2)\nshop.extract(lambda page: {'title': page.title})\n"
        "@shop.after_all\ndef mail():\n    raise OSError('no mail')\n"
    )
    folder.environ["CRAWLER_TICK_INTERVAL"] = "1"
    # When it is started, then the command returns after the second one, and tells
    done = folder.run("start", "shop.py", "-c", "1")
    assert done.returncode == 1
    assert "shop: finished" in done.stdout
    assert "1 not delivered, gave up; see: crawler failed shop --after" in done.stdout
    said = folder.here("failed", "shop", "--after").stdout
    assert said == "after_all attempts 2  OSError: no mail (shop.py:6)  (the crawl's end)\n"


LEAVES = """
import subprocess, sys, threading
from crawler import Crawl

shop = Crawl(name="shop", url="URL", page_limit=2)

@shop.extract
def leave(page):
    threading.Thread(target=threading.Event().wait).start()
    subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    return {"url": page.url}
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", ["run", "start"])
def test_a_command_ends_though_hooks_leave_threads_and_children(folder, shop, command):
    (folder.path / "shop.py").write_text(LEAVES.replace("URL", shop))
    done = folder.run(command, "shop.py", timeout=100)
    assert done.returncode == 0, done.stderr
    said = done.stderr + "".join(log.read_text() for log in folder.path.glob("state/**/*.log"))
    assert "1 thread" in said
    assert "1 process" in said
    assert folder.processes() == []
