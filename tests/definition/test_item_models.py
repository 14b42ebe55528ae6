"""Models of items: what table a model stands for, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, HttpUrl, field_validator

from crawler import Crawl, DefinitionError, Page, Response, Select
from crawler.definition.digest import digest_of
from crawler.definition.extraction import Extracted, extract_by_table
from crawler.definition.item_models import table_of
from crawler.definition.item_validation import as_plain_data
from crawler.definition.routes import view_of

HTML = """<h1>Emma</h1><p class="price">12,99 €</p><p class="sold">23 Dec 2025</p><img src="e.png">
<i>a</i><i>b</i><div class="r"><b>Oona</b><u>5 stars</u></div><div class="r"><b>Thea</b></div>
<address><b>Foyle</b></address>"""


class Review(BaseModel):
    by: Annotated[str, Select("b")]
    stars: Annotated[int, Select("u")] = 3


class Seller(BaseModel):
    name: Annotated[str, Select("address b")]


class Book(BaseModel):
    title: Annotated[str, Select("h1"), Field(min_length=2)]
    price: Annotated[Decimal, Select(".price")]
    sold: Annotated[date | None, Select(".sold")]
    cover: Annotated[HttpUrl, Select("img")]
    tags: Annotated[list[str], Select("i")]
    reviews: Annotated[list[Review], Select(".r")] = []
    first: Annotated[Review | None, Select(".r")] = None
    seller: Seller
    isbn: Annotated[str | None, Select(".isbn")] = None
    lent: Annotated[str, Select(".lent", type="date", format="%d/%m/%y")] = "never"
    currency: str = "EUR"
    pages: int = Field(0, alias="page_count")


def crawl(extract: object = Book, **fields) -> Crawl:
    return Crawl(name="shop", url="https://shop.example/", extract=extract, **fields)


def extracted(model: type[BaseModel], html: str) -> Extracted:
    return extract_by_table(crawl(model), Response("https://shop.example/a/", html=html))


def places(extract: object) -> list[str]:
    """Return the places of the faults of a crawl."""
    with pytest.raises(DefinitionError) as caught:
        crawl(extract).validate()
    return [fault.field for fault in caught.value.faults]


def test_a_model_is_filled_and_validated():
    assert extracted(Book, HTML) == Extracted(
        {
            "title": "Emma",
            "price": "12.99",
            "sold": "2025-12-23",
            "cover": "https://shop.example/a/e.png",
            "tags": ["a", "b"],
            "reviews": [{"by": "Oona", "stars": 5}, {"by": "Thea", "stars": 3}],
            "first": {"by": "Oona", "stars": 5},
            "seller": {"name": "Foyle"},
            "isbn": None,
            "lent": "never",
            "currency": "EUR",
            "pages": 0,
        }
    )


def test_a_model_stands_for_a_table():
    class Lent(BaseModel):
        day: Annotated[str, Select(".d", type="date", format="%d")] = Field(alias="when")
        ratio: Annotated[float, Select(".r", decimal=",")]
        notes: list[Annotated[str, Select("li")]] = []

    assert table_of(Lent) == {
        "when": {"select": ".d", "type": "date", "format": "%d"},
        "ratio": {"select": ".r", "type": "number", "decimal": ","},
        "notes": [{"select": "li"}],
    }


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("<h1>Emma</h1>", "", "title: missing"),
        ("Emma", "E", "title: string_too_short"),
        ("12,99 €", "sold out", "price: no_number"),
        ("e.png", "data:,", "cover: no_url"),
        ("<b>Thea</b>", "", "reviews.1.by: missing"),
        ("<b>Foyle</b>", "", "seller.name: missing"),
    ],
)
def test_what_a_model_refuses_is_named_by_field_and_kind(before, after, reason):
    refused = extracted(Book, HTML.replace(before, after))
    assert (refused.data, refused.invalid) == (None, reason)


def test_several_faults_of_an_item_are_counted():
    assert extracted(Book, "<h1>Emma</h1>").invalid == "price: missing (and 2 more)"


def test_a_crawl_with_a_model_has_code_that_its_digest_covers():
    assert crawl().has_code

    def digest(css: str) -> str:
        class Inner(BaseModel):
            title: Annotated[str, Select(css)]

        class Outer(BaseModel):
            inner: Inner

        return digest_of(crawl(Outer))

    assert digest("h1") == digest("h1") != digest("h2")


def test_the_decorator_takes_a_model():
    shop = Crawl(name="shop", url="https://shop.example/")
    shop.validate()

    @shop.extract
    class Title(BaseModel):
        title: Annotated[str, Select("h1")]

    assert shop.fields.extract is Title
    assert shop.replace(name="other").fields.extract is Title
    response = Response("https://shop.example/", html=HTML)
    assert extract_by_table(shop, response).data == {"title": "Emma"}

    @shop.extract
    def hook(page): ...

    with pytest.raises(DefinitionError, match="both as a model and as a hook"):
        shop.validate()


def test_faults_of_a_model_are_told_with_their_places():
    class Wrong(BaseModel):
        a: Annotated[str, Select("h1[")]
        b: Annotated[str, Select("h1", type="money")]
        c: int
        d: Annotated[list[Seller], Select("xpath:[")] = []
        e: Annotated[Seller, Select("meta:x")]

    assert places(Wrong) == [f"extract.{place}" for place in ("a", "b.type", "c", "d", "e")]

    class Bare(BaseModel):
        a: str = "x"

    assert places(Bare) == ["extract"]

    class Endless(BaseModel):
        a: Annotated[str, Select("h1")]
        inner: Annotated[list[Endless], Select("li")] = []

    assert places(Endless) == ["extract"] or places(Endless) == ["extract.inner"]


def test_a_route_takes_a_model():
    shop = Crawl(name="shop", url="https://shop.example/", invalid_items="warn")

    @shop.route("seller", match="/sellers/", invalid_items="fail")
    class Trader(Seller):
        since: Annotated[int, Select("address re:\\d{4}")] = 1900

    shop.route("review", match="/reviews/", extract=Review)
    view = view_of(shop, Page("https://shop.example/sellers/1"))
    assert (view.invalid_items, view.fields.extract, shop.has_code) == ("fail", Trader, True)
    taken = extract_by_table(view, Response("https://shop.example/sellers/1", html=HTML))
    assert taken.data == {"name": "Foyle", "since": 1900}

    class Wrong(BaseModel):
        a: Annotated[str, Select("h1[")]

    shop.route("wrong", match="/x/", extract=Wrong)
    with pytest.raises(DefinitionError) as caught:
        shop.validate()
    assert [fault.field for fault in caught.value.faults] == ["routes.wrong.extract.a"]


def test_an_error_in_code_of_a_model_passes():
    class Broken(BaseModel):
        title: Annotated[str, Select("h1")]

        @field_validator("title")
        @classmethod
        def check(cls, value: str) -> str:
            raise TypeError(value)

    with pytest.raises(TypeError, match="Emma"):
        extracted(Broken, HTML)


def test_instances_of_models_and_dataclasses_become_json():
    @dataclass
    class Price:
        amount: Decimal
        since: date

    review = Review(by="Oona")
    data = {"items": [review, (review,)], "price": Price(Decimal("1.5"), date(2026, 1, 2))}
    plain = {"by": "Oona", "stars": 3}
    assert as_plain_data(data) == {
        "items": [plain, [plain]],
        "price": {"amount": "1.5", "since": "2026-01-02"},
    }
    assert as_plain_data(review) == plain
