"""Apartments: index pages and listing pages, each of which gives eleven fields; a hundred of them.

    python examples/demo/serve.py --port 8765 &
    crawler start examples/apartments.py -o apartments.csv

With a hundred items no page is begun any more (``item_limit``); those in flight are finished.
"""

from crawler import Crawl

apartments = Crawl(
    name="apartments",
    url="http://127.0.0.1:8765/apartments/",
    concurrency_limit=4,
    depth_limit=None,
    item_limit=100,
    images=False,
    routes={
        "list": {"match": r"^/apartments/(\?page=\d+)?$", "links": [".listing", ".next"]},
        "apartment": {
            "match": r"^/apartments/\d+/$",
            "links": False,
            "priority": "high",
            "extract": {
                "address": "h1",
                "district": ".district",
                "rent": {"select": ".rent", "type": "integer"},
                "deposit": {"select": ".deposit", "type": "integer"},
                "rooms": {"select": ".rooms", "type": "integer"},
                "area": {"select": ".area", "type": "number"},
                "floor": {"select": ".floor", "type": "integer"},
                "built": ".built re:\\d{4}",
                "heating": ".heating",
                "free_from": {"select": ".free", "type": "date"},
                "agent": ".agent",
            },
        },
    },
)
