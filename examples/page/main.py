"""Render an invoice as an HTML page from a Jinja2 template."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

CENT = Decimal("0.01")

environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.filters["money"] = lambda amount: f"{amount:,.2f}"
template = environment.get_template("invoice.html")  # compiled at import, so that a sandbox starts with it


class Row(NamedTuple):
    text: str
    pieces: int  # not `count`, which every tuple has
    unit: Decimal
    total: Decimal


def invoice(
    number: str, customer: str, lines: list[dict[str, str | int]], tax_percent: str = "0", currency: str = "EUR"
) -> dict[str, object]:
    """Prices come as text ("12.90"), because money is not a float."""
    rows = [price(line) for line in lines]
    net = sum((row.total for row in rows), Decimal(0))
    tax = (net * Decimal(tax_percent) / 100).quantize(CENT, ROUND_HALF_UP)
    page = template.render(
        number=number,
        customer=customer,
        rows=rows,
        net=net,
        tax=tax,
        tax_percent=tax_percent,
        gross=net + tax,
        currency=currency,
    )
    return {"statusCode": 200, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page}


def price(line: dict[str, str | int]) -> Row:
    """One row of the table, its total rounded to the cent."""
    unit, pieces = Decimal(str(line["price"])), int(line["count"])
    total = (unit * pieces).quantize(CENT, ROUND_HALF_UP)
    return Row(str(line["text"]), pieces, unit, total)
