"""A crawl of the public web cannot be led into the network that it stands in, whatever a page does:
real Chrome, real servers.

The "public" site is at 127.0.0.1, which the guard of these tests counts as public when a name
resolves to it. The trap is at 127.0.0.2, which is what it is: a private address. It must never be
connected to.
"""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import psutil
import pytest

from crawler import Crawl
from crawler.browser.chrome.endpoint import Endpoint
from crawler.browser.pool import Chrome
from crawler.definition.network import guard_of
from crawler.errors import PageError
from crawler.net.chrome_flags import private_literal_flags
from crawler.net.gateway import Gateway
from crawler.net.guard import Guard
from crawler.net.permits import Permits
from crawler.run.dry_run import DryRun, dry_run
from tests.support.loopback import serving as in_thread
from tests.support.patience import PATIENCE

SITE, TRAP = "127.0.0.1", "127.0.0.2"
#: The trap's address, as Chrome understands it.
SPELLINGS = (
    "127.0.0.2",
    "2130706434",
    "0177.0.0.2",
    "0x7f000002",
    "127.2",
    "[::ffff:7f00:2]",
    "127。0。0。2",
    "trap.example",
)
#: How a page, once it is shown, leads to the URL in its query.
LEADS = {
    "meta": '<meta http-equiv="refresh" content="0;url={url}">',
    "script": "<script>addEventListener('load', () => location.href = '{url}')</script>",
    "image": "<img src='{url}'>",
    "frame": "<iframe src='{url}'></iframe>",
    "fetch": "<script>fetch('{url}', {{mode: 'no-cors'}})</script>",
    "websocket": "<script>new WebSocket('{url}'.replace('http', 'ws'))</script>",
    "worker": (
        "<script>new Worker(URL.createObjectURL(new Blob([`fetch('{url}', {{mode:"
        " 'no-cors'}})`])))</script>"
    ),
}


class Server(ThreadingHTTPServer):
    """Counts its connections."""

    connections = 0
    request_queue_size = 128

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


class Answer(BaseHTTPRequestHandler):
    """``/`` is a page; ``/redirect?URL`` redirects; ``/LEAD?URL`` is a page that leads to the URL;
    a POST returns its hash.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name, url = parts.path.strip("/"), unquote(parts.query)
        if name == "redirect":
            self.send_response(302)
            self.send_header("Location", url.encode().decode("latin-1"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.page(
            f"<title>{name or 'home'}</title><h1>{name}</h1>" + LEADS.get(name, "").format(url=url)
        )

    def do_POST(self) -> None:
        left, digest = int(self.headers["Content-Length"]), hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 65_536))
            digest.update(piece)
            left -= len(piece)
        self.page(digest.hexdigest())

    def page(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Names:
    """A resolver. A name may have answers that change: each look-up takes the next, and the last
    one stays.
    """

    def __init__(self, **known: list[str]) -> None:
        self.known = {name.replace("_", "."): answers for name, answers in known.items()}

    def __call__(self, host: str) -> list[str]:
        answers = self.known.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [answers.pop(0) if len(answers) > 1 else answers[0]]


def guard(**more: list[str]) -> Guard:
    names = Names(books_example=[SITE], trap_example=[TRAP], **more)
    return Guard(["books.example"], resolve=names, private=lambda address: address != SITE)


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return value


@pytest.fixture
def site() -> Iterator[Server]:
    yield from serving(SITE)


@pytest.fixture
def trap() -> Iterator[Server]:
    yield from serving(TRAP)


def serving(address: str) -> Iterator[Server]:
    with in_thread(Server((address, 0), Answer)) as server:
        yield server


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway(guard())
    yield made
    made.close()
    assert not made.open


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with Chrome(Endpoint(state=tmp_path_factory.mktemp("chromes"), page_load_timeout=20)) as chrome:
        yield chrome


@pytest.fixture(scope="module")
def permits() -> Permits:
    """One for all tests with Chrome, as one process has it: the browser stays warm."""
    return Permits(guard(), obey=False)


def address_of(server: Server, host: str, path: str = "/") -> str:
    return f"http://{host}:{server.server_port}{path}"


def lead_to(site: Server, lead: str, url: str) -> str:
    return address_of(site, "books.example", f"/{lead}?{quote(url, safe='')}")


def visit(
    chrome: Chrome, permits: Permits, url: str, then: Callable[[], Any] | None = None
) -> DryRun:
    """Run one page as ``crawler run`` does; ``then`` is called while it is shown."""
    crawl = Crawl(name="books", url="http://books.example/", robots=False, extract={"title": "h1"})
    if then:
        crawl.after(lambda: then())
    return dry_run(crawl, chrome, permits, url, after=True)


def refusal(*args: Any) -> tuple[str, bool]:
    with pytest.raises(PageError) as error:
        visit(*args)
    return error.value.reason, error.value.retryable


# With Chrome


@pytest.mark.browser
@pytest.mark.parametrize("host", SPELLINGS)
def test_a_redirect_to_any_spelling_of_a_private_address_is_refused(
    chrome, permits, site, trap, host
):
    assert refusal(chrome, permits, lead_to(site, "redirect", address_of(trap, host))) == (
        "private_address",
        False,
    )
    seen = visit(chrome, permits, address_of(site, "books.example", "/next"))
    assert (seen.result.response.title, seen.result.response.status) == ("next", 200)
    assert trap.connections == 0


@pytest.mark.browser
@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("host", ["trap.example", "127.0.0.2", "[::ffff:7f00:2]", "localhost"])
def test_a_page_cannot_send_chrome_to_a_private_address(chrome, permits, site, trap, lead, host):
    permits.flags(local=True)
    gateway = permits._gateway
    before = gateway.count

    try:
        visit(
            chrome,
            permits,
            lead_to(site, lead, address_of(trap, host)),
            lambda: until(lambda: gateway.count > before),
        )
    except PageError as error:  # it was quick, and went there before it was looked at
        if error.reason != "private_address":
            raise
    assert gateway.reason("books.example", before) == "private_address"
    assert trap.connections == 0
    assert (
        visit(chrome, permits, address_of(site, "books.example", "/next")).result.response.title
        == "next"
    )


@pytest.mark.browser
@pytest.mark.parametrize("lead", ["redirect", *LEADS])
def test_without_the_gateway_each_of_these_pages_reaches_the_trap(chrome, site, trap, lead):
    """So that the tests above prove something."""
    crawl = Crawl(
        name="open", url=address_of(site, SITE), robots=False, scope="all", extract={"title": "h1"}
    )
    crawl.after(lambda: until(lambda: trap.connections))
    start = lead_to(site, lead, address_of(trap, TRAP)).replace("books.example", SITE)
    with suppress(PageError):  # a redirect is noticed on arrival: too late
        dry_run(crawl, chrome, Permits(guard_of(crawl), obey=False), start, after=True)
    assert trap.connections


@pytest.mark.browser
def test_a_name_that_turns_private_after_its_check_is_refused(chrome, trap):
    rebound = Permits(guard(rebind_example=[SITE, TRAP]), obey=False)
    assert refusal(chrome, rebound, address_of(trap, "rebind.example")) == (
        "private_address",
        False,
    )
    assert trap.connections == 0


@pytest.mark.browser
def test_what_is_wrong_with_a_host_is_told_as_without_the_gateway(chrome, permits, site):
    with socket.socket() as closed:
        closed.bind((SITE, 0))
        assert refusal(chrome, permits, f"http://books.example:{closed.getsockname()[1]}/") == (
            "refused",
            True,
        )
    assert refusal(chrome, permits, address_of(site, "gone.example")) == ("dns", True)
    assert refusal(
        chrome, permits, lead_to(site, "redirect", address_of(site, "gone.example"))
    ) == ("dns", True)


@pytest.mark.browser
def test_nothing_leaves_by_webrtc(chrome, permits, site, trap):
    with socket.socket(type=socket.SOCK_DGRAM) as stun:
        stun.bind((TRAP, 0))
        stun.settimeout(0.001)
        gather = """
            const done = arguments[2], peer = new RTCPeerConnection({iceServers: [
                {urls: 'stun:' + arguments[0]},
                {urls: `turn:${arguments[1]}?transport=tcp`, username: 'me', credential: 'secret'},
            ]});
            peer.onicegatheringstatechange =
                () => peer.iceGatheringState === 'complete' && done(true);
            peer.createDataChannel('x');
            peer.createOffer().then(offer => peer.setLocalDescription(offer));
            setTimeout(done, 3000);"""
        where = f"{TRAP}:{stun.getsockname()[1]}"
        crawl = Crawl(name="books", url="http://books.example/", robots=False)
        crawl.after(
            lambda browser: browser.driver.execute_async_script(
                gather, where, f"{TRAP}:{trap.server_port}"
            )
        )
        dry_run(crawl, chrome, permits, address_of(site, "books.example"), after=True)
        with pytest.raises(TimeoutError):
            stun.recv(100)
    assert trap.connections == 0


@pytest.mark.browser
@pytest.mark.parametrize(
    "host",
    [
        *SPELLINGS[:-1],
        "localhost",
        "[::1]",
        "10.0.0.1",
        "[fd00::1]",
        "169.254.169.254",
        "192.168.0.1",
    ],
)
def test_a_chrome_elsewhere_finds_no_private_address_that_is_spelled_out(chrome, site, trap, host):
    crawl = Crawl(
        name="grid",
        url=address_of(site, SITE),
        robots=False,
        flags=private_literal_flags([SITE]),
        scope="all",
    )
    there = lead_to(site, "redirect", address_of(trap, host)).replace("books.example", SITE)
    with pytest.raises(PageError) as error:
        dry_run(crawl, chrome, Permits(guard_of(crawl), obey=False), there)
    assert error.value.reason == "dns"
    assert trap.connections == 0


def test_a_crawl_of_a_private_network_does_not_pay_for_a_gateway():
    assert Permits(Guard(["127.0.0.1"])).flags(local=True) == ()
    assert Permits(Guard(["127.0.0.1"])).flags(local=False) == ()
    # unless it sends forms, which Chrome must not send twice
    assert Permits(Guard(["127.0.0.1"])).flags(local=False, submits=True) == ()
    assert Permits(Guard(["127.0.0.1"])).flags(local=True, submits=True)


def test_a_name_that_begins_like_a_private_address_is_none():
    assert not any(
        rule.split()[1] in ("10.*", "127.*")
        for rule in private_literal_flags([])[0].partition("=")[2].split(",")
    )


# Without Chrome


def ask(gateway: Gateway, host: str, port: int, *, command: int = 1) -> tuple[socket.socket, int]:
    """A connection through the gateway, and the code of its answer."""
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE)
    client.sendall(b"\x05\x01\x00")
    assert client.recv(2) == b"\x05\x00"
    client.sendall(bytes((5, command, 0, 3, len(host))) + host.encode() + struct.pack(">H", port))
    return client, client.recv(10)[1]


class Echo(socketserver.BaseRequestHandler):
    """Sends back what comes, and only then ends."""

    def handle(self) -> None:
        while piece := self.request.recv(65_536):
            self.request.sendall(piece)
        self.request.sendall(b"and that was all")


@pytest.fixture
def echo() -> Iterator[int]:
    class Service(socketserver.ThreadingTCPServer):
        request_queue_size = 128
        daemon_threads = True

    with in_thread(Service((SITE, 0), Echo)) as server:
        yield server.server_address[1]


def test_any_bytes_pass_both_ways_and_each_way_ends_by_itself(gateway, echo):
    sent = os.urandom(5_000_000)
    client, code = ask(gateway, "books.example", echo)
    assert code == 0
    with client:
        sender = threading.Thread(
            target=lambda: (client.sendall(sent), client.shutdown(socket.SHUT_WR))
        )
        sender.start()
        got = b"".join(iter(lambda: client.recv(65_536), b""))
        sender.join()
    assert got == sent + b"and that was all"


def test_connections_that_are_kept_for_later_can_be_cut(gateway):
    # Given two connections that wait for an answer, one of which gets it
    with socket.create_server((SITE, 0)) as listener:
        port = listener.getsockname()[1]
        clients, ends = [], []
        for _ in range(2):
            clients.append(ask(gateway, "books.example", port)[0])
            ends.append(listener.accept()[0])
        for client, end in zip(clients, ends, strict=True):
            client.sendall(b"question")
            assert end.recv(8) == b"question"
        ends[0].sendall(b"answer")
        assert clients[0].recv(6) == b"answer"
        # When those of another port, and then these are cut
        gateway.cut_idle("books.example", port + 1)
        clients[0].sendall(b"more")
        assert ends[0].recv(4) == b"more"
        ends[0].sendall(b"answer")
        assert clients[0].recv(6) == b"answer"
        gateway.cut_idle("books.example", port)
        # Then only the one ends that is at rest
        assert (clients[0].recv(1), ends[0].recv(1)) == (b"", b"")
        ends[1].sendall(b"answer")
        assert clients[1].recv(6) == b"answer"
        for one in (*clients, *ends):
            one.close()


def test_a_large_body_arrives_as_it_was_sent(gateway, site):
    body = os.urandom(1_000_000) * 50
    client, _ = ask(gateway, "books.example", site.server_port)
    with client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: books.example\r\nConnection: close\r\nContent-Length:"
            b" %d\r\n\r\n" % len(body)
        )
        client.sendall(body)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.endswith(hashlib.sha256(body).hexdigest().encode())


def test_a_reader_who_does_not_read_is_waited_for_without_hoarding(gateway):
    """Back-pressure: what the gateway does not get rid of, it does not take."""
    with socket.create_server((SITE, 0)) as listener:
        client, _ = ask(gateway, "books.example", listener.getsockname()[1])
        source, _ = listener.accept()
        with client, source:
            source.settimeout(0.5)
            taken = 0
            with suppress(TimeoutError):
                while taken < 200_000_000:
                    taken += source.send(bytes(1_000_000))
            assert taken < 50_000_000


def test_thousands_of_connections_leave_neither_thread_nor_socket(gateway, echo):
    def once(_: int) -> bool:
        client, code = ask(gateway, "books.example", echo)
        with client:
            client.sendall(b"hello")
            return code == 0 and client.recv(5) == b"hello"

    def refused(_: int) -> bool:
        client, code = ask(gateway, "trap.example", echo)
        client.close()
        return code == 2

    process = psutil.Process()
    before = process.num_fds(), threading.active_count()
    assert all(map(once, range(200)))
    assert all(map(refused, range(200)))
    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(once, range(1_000)))
    assert until(lambda: process.num_fds() <= before[0] and threading.active_count() <= before[1])


def test_it_takes_all_its_connections_and_its_thread_along(echo):
    process = psutil.Process()
    before = process.num_fds(), threading.active_count()
    gateway = Gateway(guard())
    clients = [ask(gateway, "books.example", echo)[0] for _ in range(5)]
    gateway.close()
    gateway.close()
    for client in clients:
        with client, suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert until(lambda: process.num_fds() <= before[0] and threading.active_count() <= before[1])


def test_it_ends_with_the_permits_that_opened_it():
    permits = Permits(guard(), obey=False)
    assert permits.flags(local=True) == permits.flags(local=True)
    gateway = permits._gateway
    del permits
    assert until(lambda: not gateway.open)


def test_it_remembers_why_a_connection_failed(gateway):
    with socket.socket() as closed:
        closed.bind((SITE, 0))
        port = closed.getsockname()[1]
        codes = []
        for host in (
            "trap.example",
            "gone.example",
            "books.example",
            "localhost",
            "127.0.0.1",
            "0x7f.1",
            "::1",
        ):
            client, code = ask(gateway, host, port)
            client.close()
            codes.append((gateway.reason(host, 0), code))
    private = ("private_address", 2)
    assert codes == [private, ("dns", 4), ("refused", 5), private, private, private, private]
    assert gateway.reason("books.example", gateway.count) is None
    assert gateway.reason("elsewhere.example", 0) == "private_address"


def test_an_address_that_never_answers_is_given_up(gateway, monkeypatch):
    monkeypatch.setattr("crawler.net.connections.CONNECT_TIMEOUT", 0.2)
    with socket.create_server((SITE, 0), backlog=0) as full:
        port = full.getsockname()[1]
        fillers = []
        for _ in range(3):  # its queue is full then: further connections are not answered
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((SITE, port))
            fillers.append(filler)
        client, code = ask(gateway, "books.example", port)
        client.close()
        for filler in fillers:
            filler.close()
    assert (gateway.reason("books.example", 0), code) == ("timeout", 6)


def test_it_offers_neither_bind_nor_udp_and_drops_what_is_no_socks(gateway, echo):
    for command in (2, 3):
        client, code = ask(gateway, "books.example", echo, command=command)
        client.close()
        assert code == 7
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" + bytes(200))
        assert client.recv(2) in (b"\x05\xff", b"")


def test_a_private_host_that_the_author_allowed_passes(trap):
    allowed = Gateway(
        Guard(
            ["books.example"],
            ["trap.example"],
            resolve=Names(books_example=[SITE], trap_example=[TRAP]),
        )
    )
    client, code = ask(allowed, "trap.example", trap.server_port)
    client.close()
    allowed.close()
    assert code == 0
