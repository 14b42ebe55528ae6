"""The crawls in the admin of the example project, in a real browser: what an operator sees and
does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.ui import WebDriverWait

from crawler.browser.chrome.local import find_chrome, find_driver, resolve_wrapper
from crawler.local.embedded import PrivateRedis
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.project import ROOT, Project

pytest_plugins = ["tests.site.shop"]
pytest.importorskip("django", reason="Django is not installed: pip install -e .[django]")

#: Where the pictures of the documentation are; with UPDATE_IMAGES set, a run of these tests writes
#: them anew.
IMAGES = ROOT / "docs" / "images"
UPDATE_IMAGES = bool(os.environ.get("UPDATE_IMAGES"))
#: Pages that are done before the screen is looked at: more of them for a picture.
PAGES = 60 if UPDATE_IMAGES else 5


@pytest.fixture(scope="module")
def place(tmp_path_factory, shop, database) -> Iterator[tuple[Project, str]]:
    """The project with its users, and the address at which it is served."""
    folder = tmp_path_factory.mktemp("admin")
    with PrivateRedis(folder / "redis") as redis:
        # the crawl must outlive slow screens
        errors = str(folder / "errors")
        project = Project(folder, redis, shop, database, SHOP_DELAY="1", CRAWLER_ERRORS_DIR=errors)
        address = f"127.0.0.1:{free_port()}"
        command = (
            sys.executable,
            "-u",
            "manage.py",
            "runserver",
            "--noreload",
            "--skip-checks",
            address,
        )
        with project.running(
            *command, log="server.log", ready=lambda said: "Quit the server" in said
        ):
            yield project, f"http://{address}"


@pytest.fixture
def browser() -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = resolve_wrapper(find_chrome() or "")
    for flag in (
        "--headless",
        "--window-size=1180,560",
        "--force-device-scale-factor=1",
        "--hide-scrollbars",
    ):
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    driver = webdriver.Chrome(options, webdriver.ChromeService(find_driver()))
    yield driver
    driver.quit()


class Screen:
    """The browser of one user."""

    def __init__(self, browser: WebDriver, address: str) -> None:
        self.browser, self.address = browser, address

    def log_in(self, user: str) -> None:
        self.browser.get(f"{self.address}/admin/login/")
        self.browser.find_element(By.NAME, "username").send_keys(user)
        self.browser.find_element(By.NAME, "password").send_keys("x")
        self.follow("[type=submit]")

    def open(self, path: str) -> None:
        self.browser.get(self.address + path)

    def text(self, css: str) -> str:
        """What stands there at this instant, "" where there is no such place."""
        return self.browser.execute_script(
            "return document.querySelector(arguments[0])?.innerText ?? ''", css
        )

    def buttons(self) -> list[str]:
        """The buttons that can be seen."""
        return self.browser.execute_script(
            "return [...document.querySelectorAll('.crawl-actions button')].filter(b =>"
            " b.checkVisibility()).map(b => b.innerText)"
        )

    def press(self, label: str) -> None:
        """Press a button, and wait for the page that it leads to: that one says what was done."""
        found = self.browser.find_elements(By.CSS_SELECTOR, ".crawl-actions button")
        button = next(one for one in found if one.text == label and one.is_displayed())
        button.click()
        WebDriverWait(self.browser, 60).until(staleness_of(button))

    def focus(self, css: str) -> None:
        """Go to a link, as with the keyboard."""
        self.browser.execute_script("document.querySelector(arguments[0]).focus()", css)

    def has_focus(self, css: str) -> bool:
        """Whether the place holds what the keyboard is at."""
        script = "return document.querySelector(arguments[0]).contains(document.activeElement)"
        return self.browser.execute_script(script, css)

    def width(self) -> int:
        """The pixels that the page is wide, with all that one had to scroll to."""
        return self.browser.execute_script("return document.documentElement.scrollWidth")

    def says(self, words: str) -> None:
        """Wait for a message."""
        self.until(lambda: words in self.text(".messagelist"))

    def follow(self, css: str) -> None:
        """Click a link, and wait for its page."""
        link = self.browser.find_element(By.CSS_SELECTOR, css)
        link.click()
        WebDriverWait(self.browser, 60).until(staleness_of(link))

    def until(self, condition, seconds: float = PATIENCE) -> None:
        WebDriverWait(self.browser, seconds, 0.1).until(
            lambda _: condition(), self.text("#content")
        )

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the screen a size, and the system's scheme of colours."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def picture(self, name: str) -> None:
        """Keep what is seen as a picture of the documentation, if that is asked for."""
        if UPDATE_IMAGES:
            path = IMAGES / f"django-{name}.png"
            IMAGES.mkdir(exist_ok=True)
            path.write_bytes(self.browser.get_screenshot_as_png())
            smaller(path)


def smaller(path: Path) -> None:
    """Fewer colours: a page has few."""
    if tool := shutil.which("pngquant"):
        subprocess.run([tool, "--force", "--output", path, path], check=True)


BOOKS = "[data-crawl=books]"
CHART = (By.CSS_SELECTOR, "[data-chart=pace] .plot")
#: The screens on which the page of a crawl is seen: a name, a size, and whether it is dark.
SCREENS = (
    ("crawl", 1280, 1180, False),
    ("crawl-dark", 1280, 1180, True),
    ("crawl-phone", 390, 1500, False),
)


@pytest.mark.browser
def test_an_operator_starts_watches_stops_and_retries_a_crawl(place, browser, shop):
    project, address = place
    screen = Screen(browser, address)
    screen.log_in("ada")
    screen.picture("home")
    screen.follow(".model-crawl a")
    assert screen.text(f"{BOOKS} .status") == "not started"
    assert screen.buttons() == ["Start"]
    assert "Flower" in screen.text("a[href='http://127.0.0.1:5555/']")

    with project.worker("the project's app"):
        screen.press("Start")
        screen.says("books was started")
        screen.follow(f"{BOOKS} th a")
        project.python(
            "from crawler import Priority\n"
            "from crawler.contrib.django.client import client\n"
            f"print(client().enqueue('books', '{shop}sold-out/', priority=Priority.HIGH).new)"
        )
        # nobody loads the page anew
        screen.until(lambda: int(screen.text("[data-count=done]")) >= PAGES, 180)
        screen.until(lambda: screen.text("[data-count=failed]") == "1")
        assert screen.text(".status") == "active"
        assert screen.buttons() == ["Pause", "Stop", "Cancel", "Retry failed"]
        screen.until(lambda: "now" in browser.find_element(*CHART).get_attribute("aria-label"))
        screen.until(lambda: f"{shop}sold-out/" in screen.text("[data-panel=failures]"))
        # who is on a link with the keyboard stays there, though its panel is filled again
        screen.focus("[data-panel=recent] a")
        before = screen.text("[data-panel=recent]")
        screen.until(lambda: screen.text("[data-panel=recent]") != before)
        assert screen.has_focus("[data-panel=recent]")
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        for name, width, height, dark in SCREENS:
            screen.resize(width, height, dark=dark)
            screen.until(lambda width=width: screen.width() <= width)
            screen.picture(name)
        screen.resize(1180, 560)

        screen.press("Pause")
        screen.until(lambda: screen.text(".status") == "paused")
        screen.press("Resume")
        screen.until(lambda: screen.text(".status") == "active")
        screen.press("Stop")
        screen.press("Yes: stop books")
        screen.until(lambda: screen.text(".status") == "stopped")
        assert "stopped by ada in the admin" in screen.text("[data-reason]")

        screen.follow("a[data-count=failed]")
        assert screen.text("tbody .url") == f"{shop}sold-out/"
        assert screen.text("tbody .reason") == "http_404"
        screen.picture("failed")
        browser.find_element(By.NAME, "id").click()
        screen.press("Retry the chosen pages")
        screen.says("tries 1 failed pages again")
        screen.until(lambda: screen.text(".status") in ("active", "finished"))
        screen.open("/admin/crawler/crawl/")
        screen.picture("crawls")
    assert browser.get_log("browser") == []
