"""The driver of PostgreSQL, which is an extra."""

from __future__ import annotations

from typing import TYPE_CHECKING

from linnet.errors import SettingsInvalid

if TYPE_CHECKING:
    from sqlalchemy import URL


def driven(address: URL) -> URL:
    """The address with the driver that is to be used. Raises SettingsInvalid where that is not installed."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        hint = "Install it: pip install 'linnet[postgres]'"
        raise SettingsInvalid("PostgreSQL needs the package psycopg", hint=hint) from error
    return address.set(drivername="postgresql+psycopg")
