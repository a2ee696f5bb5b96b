"""The invoice page: sums to the cent, and customers whose names hold HTML."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from examples.page.main import invoice

ORDER = json.loads((Path(__file__).parents[2] / "examples/page/input/invoice.json").read_text())


def render(**order: Any) -> str:
    answer = invoice(**order)
    assert (answer["statusCode"], answer["headers"]) == (200, {"content-type": "text/html; charset=utf-8"})
    return str(answer["body"])


def numbers(page: str) -> list[str]:
    return re.findall(r'<td class="number">(?:EUR )?([\d,.]+)</td>', page)


def test_the_order_adds_up() -> None:
    page = render(**ORDER)
    # 145.50 + 35.70 + 2.04 + 14.20 + 25.00 = 222.44; 23 % of it is 51.1612
    assert numbers(page)[-3:] == ["222.44", "51.16", "273.60"]
    assert numbers(page)[6:9] == ["24", "0.085", "2.04"]


def test_what_a_customer_is_called_cannot_become_html() -> None:
    page = render(**{**ORDER, "customer": "<b>Ana</b> & Bruno"})
    assert "&lt;b&gt;Ana&lt;/b&gt; &amp; Bruno" in page


def test_an_empty_order_is_a_page_too() -> None:
    page = render(number="1", customer="x", lines=[])
    assert "Nothing was bought." in page
    assert numbers(page) == ["0.00", "0.00", "0.00"]


def test_money_is_grouped_and_half_a_cent_rounds_up() -> None:
    page = render(number="1", customer="x", lines=[{"text": "y", "count": 1, "price": "12345.675"}])
    assert numbers(page)[2] == "12,345.68"


def test_a_line_without_a_price_is_an_error() -> None:
    with pytest.raises(KeyError, match="price"):
        invoice("1", "x", [{"text": "y", "count": 1}])
