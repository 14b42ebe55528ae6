"""URLs of the services that the settings name: their check, the password that comes by another way,
and the broker beside a frontier.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
FRONTIER_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster", *SENTINEL_SCHEMES)
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", *SENTINEL_SCHEMES)
WEB_SCHEMES = ("http", "https")
CHROME_SCHEMES = (*WEB_SCHEMES, "ws", "wss")


def broker_beside(url: str) -> str:
    """Return the broker's URL, as kombu reads it, if only the frontier's ``url`` is known: the next
    database of that server.

    After 15, the last database that Redis has by default, comes 14.
    """
    parts = urlsplit(url)
    query, service, path = dict(parse_qsl(parts.query)), "", parts.path.strip("/")
    if parts.scheme in SENTINEL_SCHEMES:
        service, _, path = path.partition("/")
    number = int(query.pop("db", "") or ("" if parts.scheme == "unix" else path) or 0)
    database = 14 if number == 15 else number + 1
    if parts.scheme in SENTINEL_SCHEMES:
        return parts._replace(path=f"/{service}/{database}", query=urlencode(query)).geturl()
    if parts.scheme == "unix":
        return f"redis+socket://{parts.netloc}{quote(parts.path)}?virtual_host={database}"
    # any other option breaks kombu's Connection
    tls = {name: value for name, value in query.items() if name.startswith("ssl_")}
    return with_verification(
        f"{parts.scheme}://{parts.netloc}/{database}" + (f"?{urlencode(tls)}" if tls else "")
    )


def with_password(url: str, password: str) -> str:
    """Return ``url`` with ``password``, unless it has one."""
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    if ":" in user:
        return url
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{hosts}").geturl()


def with_verification(url: str) -> str:
    """Return ``url`` with the wish to verify the server's certificate: redis-py does by itself, and
    kombu does not.
    """
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def check_url(url: str, schemes: tuple[str, ...]) -> str:
    """Return ``url``, or raise ValueError if it can be none; its text stays out of the error."""
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme not in schemes:
        right = " or ".join(f"{one}://" for one in schemes)
        wrong = f"not {scheme}://" if scheme else "and it has no scheme"
        raise ValueError(f"must begin with {right}, {wrong}")
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
        names = netloc.split(",") if "+" in scheme else [netloc]
        hosts = [urlsplit(f"//{name}") for name in names]
        ports_are_numbers = all(one.port or True for one in hosts)
    except ValueError:
        ports_are_numbers = False
    if not ports_are_numbers:
        raise ValueError(
            "is no URL: its host or port cannot be read (is a / or a @ in the password written as"
            " %2F, %40?)"
        )
    query, path = dict(parse_qsl(parts.query)), parts.path.strip("/")
    if parts.scheme in ("unix", "redis+socket"):
        if not path:
            raise ValueError("names no socket")
        if others := query.keys() - {"virtual_host"} if "+" in scheme else ():
            raise ValueError(f"has {min(others)}; a broker's socket takes virtual_host only")
        path = query.get("virtual_host", "")
    elif not all(one.hostname for one in hosts):
        raise ValueError("names no host")
    if parts.scheme in SENTINEL_SCHEMES:
        service, _, path = path.partition("/")
        if not service:
            raise ValueError(
                "names no master; it ends in /NAME or /NAME/DATABASE, with the name that the"
                " Sentinels know"
            )
    database = "" if "http" in schemes else query.get("db") or path
    if database and not (database.isascii() and database.isdigit()):
        raise ValueError("its database is no number")
    if parts.scheme.endswith("+cluster") and int(database or 0):
        raise ValueError(
            "names a database, which a Cluster has none of; CRAWLER_KEY_PREFIX keeps installations"
            " apart"
        )
    return url
