"""Cards rendered from the Jinja2 templates in `templates/`, and the formats of the numbers in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polypref.languages.codes import LANGUAGES

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, values: Mapping[str, Any]) -> str:
    """Return a template filled with values. A value that is missing raises jinja2's UndefinedError."""
    # Imported here: reading a dataset needs no jinja2, and the import takes about 0.1 seconds.
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown, not HTML
    )
    environment.globals["LANGUAGES"] = LANGUAGES
    environment.filters |= {
        "line": one_line,
        "cell": format_cell,
        "code": format_code,
        "number": format_number,
        "share": "{:.1%}".format,
        "gain": "{:+.1%}".format,
    }
    return environment.get_template(template).render(values)


def one_line(text: str) -> str:
    """Return text from a recipe as one line in which no HTML, heading, list or marker line can begin."""
    return " ".join(text.split()).replace("<", "&lt;")


def format_code(text: str) -> str:
    """Return text from a recipe as code within a line or a cell."""
    code = one_line(text).replace("`", "'").replace("|", "\\|")
    return f"`{code}`"


def format_number(value: float | None) -> str:
    """Return a measured number with four significant digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def format_cell(value: str | float | None) -> str:
    """Return the text of a cell in a Markdown table: counts with separators, other numbers shortened."""
    match value:
        case str():
            return one_line(value).replace("|", "\\|").replace("[", "\\[")
        case int():
            return f"{value:,}"
        case _:
            return format_number(value)
