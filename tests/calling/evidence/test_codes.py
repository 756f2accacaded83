"""Codes for currencies, countries, languages and states."""

from __future__ import annotations

import pytest

from linnet.calling.evidence.codes import TABLES, code, known_place, tables
from linnet.calling.evidence.parameters import Parameter


@pytest.mark.parametrize(
    ("name", "description", "expected"),
    [
        ("currency", "what to pay in", ("currency",)),
        ("country_code", "", ("country",)),
        ("country", "as a two-letter code", ("country",)),
        ("country", "where to go", ()),
        ("language", "ISO code", ("language",)),
        ("state", "abbreviation", ("state",)),
        ("state", "where to go", ()),
        ("code", "The currency code", ("currency",)),
        ("country", "such as 'US' or 'DE'", ("country",)),
    ],
)
def test_tables_that_a_parameter_asks_for(name: str, description: str, expected: tuple[str, ...]) -> None:
    parameter = Parameter((name,), {"type": "string", "description": description}, True, 0)
    assert tables(parameter) == expected


@pytest.mark.parametrize(
    ("name", "table", "short", "long"),
    [
        ("Euro", "currency", "EUR", "EUR"),
        ("euros", "currency", "EUR", "EUR"),
        ("US  Dollars", "currency", "USD", "USD"),
        ("france", "country", "FR", "FRA"),
        ("UK", "country", "GB", "GB"),
        ("French", "language", "fr", "fra"),
        ("TEXAS", "state", "TX", "TX"),
        ("nowhere", "country", None, None),
        ("", "currency", None, None),
    ],
)
def test_codes(name: str, table: str, short: str | None, long: str | None) -> None:
    assert (code(name, table), code(name, table, long=True)) == (short, long)


def test_every_table_has_codes_and_no_blank_ones() -> None:
    known = {"currency": "yen", "country": "japan", "language": "japanese", "state": "ohio"}
    assert set(known) == set(TABLES)
    assert all(code(name, table) and not code(" ", table) for table, name in known.items())


def test_known_places() -> None:
    assert known_place("Italy") and known_place("new york") and not known_place("Anna")
