"""How numbers, times and sizes are written for people: one function for each kind."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "-"

_UNITS = ("B", "kB", "MB", "GB", "TB")


def percent(share: float | None, digits: int = 1) -> str:
    """A share of 0 to 1 in percent."""
    return NOTHING if share is None else f"{share * 100:.{digits}f} %"


def traffic(points: float) -> str:
    """Percent of the traffic, with decimals only where it has some."""
    return f"{points:g} %" if points == int(points) else f"{points:.2f} %"


_PICKED = {
    "only-arm": "the only one that serves",
    "no-unit": "sticky, but at random as no user was named",
}


def picked(reason: str | None) -> str:
    """How a version was picked, in a few words."""
    return _PICKED.get(reason or "", reason or "")


def weight(basis_points: int) -> str:
    """A weight as its percentage of the traffic."""
    return traffic(basis_points / 100)


def points(share: float, form: str = "g") -> str:
    """A share, or a difference of shares, in points."""
    return f"{share * 100:{form}} pt"


def signed(value: float | None, form: str = "+.4g") -> str:
    """A number with its sign."""
    return NOTHING if value is None else format(value, form)


def number(value: float | None, digits: int = 4) -> str:
    """A number with a few significant digits."""
    return NOTHING if value is None else f"{value:.{digits}g}"


def count(value: int | None) -> str:
    """A count with thousands set apart."""
    return NOTHING if value is None else f"{value:,}"


def milliseconds(value: float | None) -> str:
    """A latency in milliseconds, finer where it is short."""
    if value is None:
        return NOTHING
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def measure(value: float | None, unit: str) -> str:
    """A value of a metric in its unit."""
    if unit == "share":
        return percent(value)
    return f"{milliseconds(value)} ms" if unit == "ms" and value is not None else number(value)


def difference(value: float | None, limits: tuple[float, float] | None, unit: str) -> str:
    """A difference with its interval; of shares in points, so that nobody reads percentages."""
    name = {"share": " pt", "ms": " ms"}.get(unit, "")
    scale, digits = (100, "+.1f") if unit == "share" else (1, "+.2f" if unit == "ms" else "+.3g")
    numbers = [format(limit * scale, digits) for limit in limits or ()]
    gap = NOTHING if value is None else format(value * scale, digits)
    return gap + (f" [{', '.join(numbers)}]" if numbers else "") + name


def p_value(value: float | None) -> str:
    """A p-value; never shown as 0."""
    if value is None:
        return NOTHING
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def when(instant: datetime) -> str:
    """A time in UTC, to the second."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def size(count_of_bytes: int | None) -> str:
    """A size in decimal units."""
    if count_of_bytes is None:
        return NOTHING
    value, unit = float(count_of_bytes), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def joined(parts: object) -> str:
    """Several short texts in one cell."""
    texts = [str(part) for part in parts] if isinstance(parts, list | tuple) else []
    return ", ".join(texts) or NOTHING
