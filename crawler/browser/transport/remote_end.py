"""The remote end of WebDriver: the credentials in its address, and ending a session there."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

#: Seconds that a session may take to end before it is left as it is (and killed, if it is local).
QUIT_TIMEOUT = 5.0


def split_credentials(url: str) -> tuple[str, str, str]:
    """Return the address of an endpoint without its credentials, the user and the password.

    User and password are "" where the URL has none.
    """
    parts = urlsplit(url)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    return address, unquote(parts.username or ""), unquote(parts.password or "")


def end_session(url: str, session: str, timeout: float) -> bool:
    """End a session, and its Chrome, that another process left at the endpoint ``url``.

    Returns whether the session is gone for sure. The endpoint has ``timeout`` seconds for each of
    two answers: a ChromeDriver does one command after another, and the owner may have died while a
    page was loading. A Grid whose answer is not awaited keeps the slot of a session that has ended.
    """
    address, user, password = split_credentials(url)
    headers = urllib3.make_headers(basic_auth=f"{user}:{password}") if user else {}
    with contextlib.suppress(HTTPError, OSError):
        urllib3.request(
            "POST",
            f"{address}/session/{quote(session, safe='')}/goog/cdp/execute",
            body=b'{"cmd": "Browser.close", "params": {}}',
            timeout=timeout,
            retries=False,
            headers={**headers, "Content-Type": "application/json; charset=utf-8"},
        )
    return delete_session(address, session, headers, timeout)


def delete_session(
    address: str, session: str, headers: Mapping[str, str] | None, timeout: float = QUIT_TIMEOUT
) -> bool:
    """Ask the endpoint at ``address`` to end a session; return whether it is gone for sure."""
    try:
        answer = urllib3.request(
            "DELETE",
            f"{address}/session/{quote(session, safe='')}",
            headers=headers,
            timeout=timeout,
            retries=False,
        )
    except (HTTPError, OSError):
        return False
    return answer.status in (200, 404)  # 404: the endpoint has no such session
