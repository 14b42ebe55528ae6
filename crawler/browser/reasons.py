"""Chrome's network errors in our words, and whether a later attempt may succeed."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import PageError

#: Chrome's network errors: (our word, whether a later attempt may succeed). Others keep the name
#: that Chrome gives them.
CAUSES: Mapping[str, tuple[str, bool]] = {
    "ERR_NAME_NOT_RESOLVED": ("dns", True),
    "ERR_NAME_RESOLUTION_FAILED": ("dns", True),
    "ERR_DNS_TIMED_OUT": ("dns", True),
    "ERR_CONNECTION_REFUSED": ("refused", True),
    "ERR_EMPTY_RESPONSE": ("empty_response", True),
    "ERR_CONNECTION_RESET": ("reset", True),
    "ERR_CONNECTION_CLOSED": ("reset", True),
    "ERR_CONNECTION_ABORTED": ("reset", True),
    "ERR_SOCKET_NOT_CONNECTED": ("reset", True),
    "ERR_HTTP2_PROTOCOL_ERROR": ("reset", True),
    "ERR_HTTP2_SERVER_REFUSED_STREAM": ("reset", True),
    "ERR_CONNECTION_TIMED_OUT": ("timeout", True),
    "ERR_TIMED_OUT": ("timeout", True),
    "ERR_CONNECTION_FAILED": ("unreachable", True),
    "ERR_ADDRESS_UNREACHABLE": ("unreachable", True),
    "ERR_INTERNET_DISCONNECTED": ("unreachable", True),
    "ERR_NETWORK_CHANGED": ("unreachable", True),
    "ERR_NETWORK_IO_SUSPENDED": ("unreachable", True),
    "ERR_PROXY_CONNECTION_FAILED": ("proxy", True),
    "ERR_TUNNEL_CONNECTION_FAILED": ("proxy", True),
    "ERR_CONTENT_LENGTH_MISMATCH": ("truncated", True),
    "ERR_INCOMPLETE_CHUNKED_ENCODING": ("truncated", True),
    "ERR_INVALID_RESPONSE": ("bad_response", True),
    "ERR_INVALID_HTTP_RESPONSE": ("bad_response", True),
    "ERR_INVALID_CHUNKED_ENCODING": ("bad_response", True),
    "ERR_CONTENT_DECODING_FAILED": ("bad_response", True),
    "ERR_UNEXPECTED_PROXY_AUTH": ("bad_response", False),
    "ERR_RESPONSE_HEADERS_TOO_BIG": ("bad_response", False),
    "ERR_RESPONSE_HEADERS_TRUNCATED": ("bad_response", True),
    "ERR_RESPONSE_HEADERS_MULTIPLE_CONTENT_LENGTH": ("bad_response", True),
    "ERR_RESPONSE_HEADERS_MULTIPLE_LOCATION": ("bad_response", True),
    "ERR_UNSAFE_PORT": ("unsafe_port", False),
    "ERR_TOO_MANY_REDIRECTS": ("redirect_loop", False),
    "ERR_INVALID_REDIRECT": ("bad_redirect", False),
    "ERR_UNSAFE_REDIRECT": ("bad_redirect", False),
    "ERR_INVALID_URL": ("malformed", False),
    "ERR_UNKNOWN_URL_SCHEME": ("unsupported_scheme", False),
    "ERR_DISALLOWED_URL_SCHEME": ("unsupported_scheme", False),
    "ERR_INVALID_AUTH_CREDENTIALS": ("auth_required", False),
    "ERR_BLOCKED_BY_RESPONSE": ("blocked", False),
    "ERR_BLOCKED_BY_CLIENT": ("blocked", False),
    "ERR_BLOCKED_BY_ADMINISTRATOR": ("blocked", False),
}

#: Statuses with which a host asks for patience; a Retry-After may come with them.
PATIENCE_STATUSES = frozenset({429, 503})
#: Statuses after which a later attempt may find the page.
RETRYABLE_STATUSES = frozenset({408, 425, 429})


def page_error(url: str, code: str | None, status: int | None = None) -> PageError:
    """Return the error for Chrome's ``code`` (ERR_…), or for the HTTP status of a response without
    a document.
    """
    if status == 401 or status == 407:
        return PageError(url, "auth_required", status)
    if status:
        retryable = status >= 500 or status in RETRYABLE_STATUSES
        return PageError(url, f"http_{status}", status, retryable=retryable)
    code = (code or "ERR_FAILED").removeprefix("net::")
    if code.startswith(("ERR_CERT_", "ERR_SSL_")):
        return PageError(url, "certificate" if code.startswith("ERR_CERT_") else "tls")
    reason, retryable = CAUSES.get(code, (code.lower(), True))
    return PageError(url, reason, retryable=retryable)
