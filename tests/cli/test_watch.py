"""`crawler info --watch` in a terminal, and where there is none."""

from __future__ import annotations

from tests.support.desk import fail_all, finish
from tests.support.folder import CRAWLER
from tests.support.patience import PATIENCE
from tests.support.pseudo_terminal import ENTER, LEAVE, PseudoTerminal


def test_a_watched_crawl_gives_the_terminal_back_whatever_is_pressed(desk):
    # Given a crawl that goes on elsewhere, and a shell that waits for its view
    frontier = desk.begin("/a", "/b", "/c").frontier
    fail_all(frontier, "http_404")
    finish(frontier)
    script = f"set -m; {CRAWLER} info shop --watch; stty -a; echo back; fg; echo left; stty -a;"
    script += f" {CRAWLER} info --watch"
    terminal = PseudoTerminal(["sh", "-c", script], desk.folder.path, desk.folder.environ)
    try:
        terminal.until(ENTER, "1 done", "1 failed", "http_404", "q leave")
        # Ctrl-Z gives the terminal back, and fg takes it again
        terminal.press("\x1a")
        shown = terminal.until(LEAVE, "back\r\n", ENTER, "q leave")
        assert b" icanon" in shown
        assert b" echo " in shown
        # a key asks for help, another one leaves: with the report, and the crawl goes on
        terminal.press("?")
        terminal.until("links may add more")
        terminal.press("q")
        shown = terminal.until(LEAVE, "left\r\n", "1 crawl", "pages/s")
        report = shown.partition(LEAVE)[2].decode()
        assert "shop: active" in report
        assert " icanon" in report.partition("left\r\n")[2]
        # all crawls have a view, too
        terminal.press("\x03")
        status, shown = terminal.wait()
        assert status == 0
        assert LEAVE in shown
        assert terminal.is_as_before()
        assert frontier.snapshot().status == "ACTIVE"
    finally:
        terminal.close()


def test_without_a_terminal_lines_are_printed_until_it_is_over(desk):
    handle = desk.begin("/a")
    process = desk.folder.begin("info", "shop", "--watch")
    handle.stop()
    out, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "\x1b" not in out + said
    assert "shop: stopped" in out
    for words in (("--json",), ("shop", "--lists", "failed")):
        assert "--watch is for people" in desk.run("info", "--watch", *words, status=2)
