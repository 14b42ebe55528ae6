"""Ask a page that cannot be trusted with the asking.

A page's scripts may replace whatever scripts stand on: ``JSON``, ``Object``, the methods of all
strings. ChromeDriver's own fail then. DevTools can make another JavaScript world on the same
document, as extensions have it, where all is as Chrome made it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from selenium.common.exceptions import WebDriverException

from .webdriver import Driver


def evaluate_isolated(driver: Driver, world: str, source: str, arguments: Sequence[Any]) -> Any:
    """What ``source``, the body of a function, returns for ``arguments``, in the world of that name
    on the document shown.

    Three round trips instead of one, so it is for pages that cannot be asked otherwise.

    Raises:
        WebDriverException: it failed, here as well; or the page went elsewhere meanwhile.
    """
    frame = driver.cdp("Page.getFrameTree")["frameTree"]["frame"]["id"]
    context = driver.cdp("Page.createIsolatedWorld", frameId=frame, worldName=world)[
        "executionContextId"
    ]
    call = f"(function () {{ {source}\n }})(...{json.dumps(arguments)})"
    answer = driver.cdp("Runtime.evaluate", contextId=context, expression=call, returnByValue=True)
    if "exceptionDetails" in answer:
        raise WebDriverException(str(answer["exceptionDetails"].get("text")))
    return answer["result"].get("value")
