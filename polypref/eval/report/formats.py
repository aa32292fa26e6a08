"""Numbers as the report writes them."""

from polypref.cards.charts import MINUS
from polypref.cards.render import format_number


def measure(value: float | None) -> str:
    """Return a measured number in four digits; nothing for None."""
    return format_number(value).replace("-", MINUS)


def points(share: float) -> str:
    """Return a difference of shares in percentage points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """Return a time to the second, or to the minute from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
