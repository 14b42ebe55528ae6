"""A canary in every place that holds a password: after a crawl that goes wrong wherever it can,
nobody has heard it sing.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from celery import Celery
from celery.events import EventReceiver

from crawler.browser.chrome.local import find_driver
from crawler.redaction import Secrets, masked, password_of
from tests.site import members as club
from tests.support.patience import PATIENCE
from tests.support.redis_kinds import Server as RedisServer

pytest_plugins = ["tests.site.fixture"]

FORM, HEADER, REDIS, CHROME, ENTRY, LINK, STEP = (
    f"canary-{name}-5bY/7q@x"
    for name in ("form", "header", "redis", "chrome", "entry", "link", "step")
)

DEFINITION = """
from crawler import Crawl

members = Crawl(
    name="members", url={url!r}, concurrency_limit=2, depth_limit=None, robots=False,
    deny=["/enter"], attempts=2, backoff=0.05, backoff_cap=0.1, breaker_failures=0,
    headers={{"X-Key": {header!r}}}, error_snapshots=50,
    steps=[{{"fill": ["#nowhere", {step!r}], "optional": True, "timeout": 0.05}}],
)
tried = []

@members.before_all
def log_in(browser):
    browser.open({login!r})
    browser.fill("[name=name]", "reader")
    browser.fill("[name=password]", {form!r})
    if not tried:
        tried.append(1)
        raise ValueError("the password " + {form!r} + " does not do")
    browser.click("button")
    browser.wait_for("#welcome")

@members.extract
def page(page, browser):
    token = page.evaluate("localStorage.token")
    match int(page.url.partition("/member/")[2].partition("?")[0]):
        case 1:
            raise LookupError("my header is " + {header!r})
        case 2:
            cookies = {{cookie["name"]: cookie["value"] for cookie in page.cookies}}
            raise LookupError("my cookie is " + cookies["member"])
        case 3:
            raise LookupError("my token is " + token)
        case 4:
            page.evaluate("(() => {{ throw new Error(localStorage.token) }})()")
        case 5:
            raise LookupError("I came from " + {url!r})
        case 6:
            raise LookupError("in JSON: " + repr({{"token": token, "typed": {step!r}}}))
    return {{"title": page.text("h1")}}

@members.filter
def also(links, page):
    more = ["{link}/404", "{link}/lost?page=2&sig=songbird"]
    more += [f"{link}/member/{{n}}" for n in range(3, 15)]
    return [*links, *more] if "/member/0" in page.url else links

@members.after
def save(result, page):
    if result.page.url.endswith("/member/9"):
        raise RuntimeError("nowhere to save " + page.evaluate("localStorage.token"))
"""


@contextmanager
def listening(url: str) -> Iterator[list[str]]:
    """Every event of every worker, as Flower would get it."""
    app = Celery(broker=url)
    heard: list[str] = []
    over = threading.Event()

    def listen() -> None:
        with app.connection_for_read() as connection:
            receiver = EventReceiver(
                connection, handlers={"*": lambda event: heard.append(json.dumps(event))}, app=app
            )
            while not over.is_set():
                with pytest.MonkeyPatch.context():
                    try:
                        receiver.capture(limit=None, timeout=0.5, wakeup=False)
                    except TimeoutError:
                        continue

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield heard
    over.set()
    thread.join(PATIENCE)


@pytest.mark.browser
def test_no_password_cookie_or_token_is_read_anywhere_whatever_goes_wrong(folder, site, tmp_path):
    members = club.of(site)
    members.reset(password=FORM)
    address, at = site.url("").removeprefix("http://"), quote(ENTRY, safe="")
    definition = DEFINITION.format(
        url=f"http://me:{at}@{address}/member/0?access_token=songbird",
        login=site.url("/enter"),
        form=FORM,
        header=HEADER,
        step=STEP,
        link=f"http://me:{quote(LINK, safe='')}@{address}",
    )
    (folder.path / "members.py").write_text(definition)
    with (
        RedisServer(tmp_path / "redis", f'requirepass "{REDIS}"') as redis,
        subprocess.Popen(
            [find_driver(), "--port=0"], stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as chrome,
    ):
        assert chrome.stdout is not None
        port = next(
            found[1]
            for line in chrome.stdout
            if (found := re.search(r"successfully on port (\d+)", line))
        )
        base = f"redis://:{quote(REDIS, safe='')}@{redis.address}"
        folder.environ |= {
            "CRAWLER_REDIS_URL": f"{base}/0",
            "CRAWLER_BROKER_URL": f"{base}/1",
            "CRAWLER_CRAWLS": "members.py",
            "CRAWLER_CHROME_URL": f"http://me:{quote(CHROME, safe='')}@127.0.0.1:{port}",
            "CRAWLER_LOG_LEVEL": "DEBUG",
            "CRAWLER_ERRORS_DIR": str(tmp_path / "errors"),
            "CRAWLER_TICK_INTERVAL": "0.5",
        }
        # Given a crawl that fails in every way, on workers that say all they can
        with listening(f"{base}/1") as heard, (tmp_path / "worker.log").open("wb") as log:
            worker = subprocess.Popen(
                folder.command("worker", "-c", "2"),
                cwd=folder.path,
                env=folder.environ,
                stdout=log,
                stderr=log,
            )
            begun = folder.begin("-vv", "start", "members.py", "--output", "out")
            out, err = begun.communicate(timeout=PATIENCE)
            said = [out, err]
            names = ["members"]
            for done in folder.run_all(
                ("-vv", "info", *names, "--json"),
                ("-vv", "info", *names, "--lists", "failed"),
                ("-vv", "failed", *names, "--json"),
                ("-vv", "failed", *names, "--after"),
                ("-vv", "report", *names, "--json"),
                ("-vv", "export", *names, "-o", "all.jsonl"),
                ("-vv", "audit", *names),
                ("-vv", "doctor"),
            ):
                said += [done.stdout, done.stderr]
            worker.terminate()
            worker.wait(PATIENCE)
        chrome.kill()
        keys = stored(redis, REDIS)
        kept = keys.pop(b"crawl:{members}:login")

    # Then it went as wrong as it was meant to
    assert begun.returncode == 1, out + err  # a hook did not take its result
    failed = {
        line["url"].removeprefix(f"http://{address}"): line["reason"]
        for line in folder.lines("out/failed.jsonl")
    }
    assert failed.pop("/404") == failed.pop("/lost?page=2&sig=songbird") == "http_404"
    assert {path[-1]: reason.partition(":")[0] for path, reason in failed.items()} == dict.fromkeys(
        "123456", "extract"
    )
    assert failed["/member/2"].startswith("extract: LookupError: my cookie is *** (")
    # And what was stored for the sessions is where it belongs
    assert b"canary-cookie" in kept
    # And nothing of it can be read anywhere else
    events = "\n".join(heard)
    assert "task-failed" in events
    logged = (tmp_path / "worker.log").read_text()
    assert "my token is ***" in logged
    places = {"commands": "\n".join(said), "events": events, "log": logged}
    places |= {str(key): value.decode("utf-8", "replace") for key, value in keys.items()}
    files = [
        path
        for folder_ in (folder.path / "out", tmp_path / "errors")
        for path in folder_.rglob("*")
        if path.is_file()
    ]
    assert len(files) > 5
    places |= {
        str(path): path.name + path.read_text(errors="replace")
        for path in [*files, folder.path / "all.jsonl"]
    }
    # Nor the tokens in the URLs of the entry and of a page, where URLs are shown
    for place in ("commands", "events", "log", *(str(p) for p in files if "errors" in p.parts)):
        at = places[place].find("songbird")
        assert at < 0, f"{place}: …{places[place][max(0, at - 300) :][:400]}…"
    assert "sig=***" in places["commands"]
    for place, text in places.items():
        assert "canary" not in text, (
            f"{place}: …{text[max(0, text.index('canary') - 500) :][:600]}…"
        )


def stored(server: RedisServer, password: str) -> dict[bytes, bytes]:
    """Every key in both databases, and whatever it holds."""
    import redis as redis_py

    found = {}
    for database in (0, 1):
        client = redis_py.Redis("127.0.0.1", server.port, database, password)
        for key in client.scan_iter():
            kind = client.type(key)
            read = {
                b"string": client.get,
                b"hash": client.hgetall,
                b"set": client.smembers,
                b"stream": client.xrange,
                b"list": lambda key, c=client: c.lrange(key, 0, -1),
                b"zset": lambda key, c=client: c.zrange(key, 0, -1),
            }[kind]
            value = read(key)
            found[key] = value if isinstance(value, bytes) else repr(value).encode()
    return found


def test_a_secret_is_hidden_in_every_form_that_urls_and_json_use():
    secrets = Secrets(["pass/wörd", "short"])
    assert secrets.hide("is pass/wörd or pass%2Fw%C3%B6rd, short") == "is *** or ***, short"
    assert secrets.hide(json.dumps("pass/wörd")) == '"***"'
    assert repr(secrets) == "<1 secrets>"
    assert password_of("http://me:secret@shop.example/") == "secret"
    assert masked("http://me:secret@shop.example/") == "http://me:***@shop.example/"
