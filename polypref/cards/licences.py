"""Under which licence data may go out, from what it was made of: the licences of its sources and of its models.

licences.csv names the licences of models and datasets that many use, by their ids on the Hub, as their own cards state them.
What stands here is no legal advice: it stops a licence that is plainly wider than what the data was made from.
"""

import csv
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from polypref.errors import InputError

# What a licence asks of those who publish something made from the work. One that is not here has terms of its own.
TERMS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "unlicense", "cdla-permissive-2.0"),
        frozenset(),
    ),
    **dict.fromkeys(("cc-by-3.0", "cc-by-4.0", "odc-by"), frozenset({"attribution"})),
    **dict.fromkeys(("cc-by-sa-3.0", "cc-by-sa-4.0", "odbl"), frozenset({"attribution", "share alike"})),
    **dict.fromkeys(("cc-by-nc-3.0", "cc-by-nc-4.0"), frozenset({"attribution", "non-commercial"})),
    **dict.fromkeys(
        ("cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"), frozenset({"attribution", "non-commercial", "share alike"})
    ),
    **dict.fromkeys(("cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"), frozenset({"no derivatives"})),
}
LATER = {
    "cc-by-sa-3.0": "cc-by-sa-4.0",
    "cc-by-nc-sa-3.0": "cc-by-nc-sa-4.0",
}  # what may stand in for the older one
OTHER = "other"  # stated by somebody who takes the decision upon themselves and says more in the notes

Part = tuple[str, str | None]  # what it is ("model facebook/nllb-200-3.3B"), its licence where one is known


def known(name: str) -> str | None:
    """The licence of a model or dataset by its id on the Hub, where licences.csv has it."""
    return next((license for pattern, license in _table() if fnmatchcase(name, pattern)), None)


@cache
def _table() -> tuple[tuple[str, str], ...]:
    with Path(__file__).with_name("licences.csv").open(encoding="utf-8", newline="") as file:
        return tuple((row["pattern"], row["license"]) for row in csv.DictReader(file))


def parts(facts: Mapping[str, Any]) -> list[Part]:
    """The sources and models of facts.json, each once."""
    builds = facts["builds"].values()
    sources = [
        (f"source {name}", build.get("source_licenses", {}).get(name))
        for build in builds
        for name in build["sources"]
    ]
    models = [
        (f"{model['role']} {model['model']}", model.get("license"))
        for build in builds
        for model in build["models"]
    ]
    return list(dict.fromkeys([*sources, *models]))


def licence(stated: str | None, made_of: Iterable[Part]) -> str:
    """The licence of the data: the `stated` one if nothing forbids it, else the one that follows.

    Raises InputError, naming both sides, where two licences cannot be met together; and where none is stated and one of
    the parts has none that is known, or terms of its own that leave no choice to a table.
    """
    made_of = list(made_of)
    if stated == OTHER:
        return stated
    for part in made_of:
        if "no derivatives" in _terms(part):
            raise InputError(
                f"licence: {part[0]} is {part[1]}, which allows no derivatives{_against(stated)}"
            )
    if stated:
        for part in made_of:
            if (problem := _problem(part, stated)) is not None:
                raise InputError(
                    f"licence: {stated} is stated, but conflicts with {part[0]} ({part[1]}): {problem}"
                )
        return stated
    if unknown := [what for what, found in made_of if found is None]:
        raise InputError(
            f"licence: none is stated and that of {unknown[0]} is not known; state publish.license in the recipe"
        )
    if not made_of:
        raise InputError("licence: none is stated and none follows; state publish.license in the recipe")
    chosen = _follows({found for _, found in made_of if found})
    for part in made_of:
        problem = _problem(part, chosen)
        if (
            problem is None
            and part[1] != chosen
            and (part[1] not in TERMS or (chosen not in TERMS and _terms(part)))
        ):
            problem = "no table knows what meets the terms of both"
        if problem is not None:
            other = next(other for other in made_of if LATER.get(str(other[1]), other[1]) == chosen)
            raise InputError(
                f"licence: {part[0]} ({part[1]}) conflicts with {other[0]} ({other[1]}): {problem}; "
                "leave one of them out, or state publish.license in the recipe"
            )
    return chosen


def _follows(found: set[str]) -> str:
    """A licence that meets them all if there is one; else one of those that leave the least choice."""
    if len(found) == 1:
        return next(iter(found))
    terms = {name: TERMS.get(name) for name in found}
    own = sorted(name for name, asked in terms.items() if asked is None)
    alike = sorted(
        (LATER.get(name, name) for name, asked in terms.items() if asked and "share alike" in asked),
        reverse=True,
    )
    if own or alike:
        return [*own, *alike][0]
    asked = frozenset[str]().union(*(asked for asked in terms.values() if asked))
    return "cc-by-nc-4.0" if "non-commercial" in asked else "cc-by-4.0" if asked else "apache-2.0"


def _problem(part: Part, chosen: str) -> str | None:
    """Why data made of this part cannot go out under `chosen`."""
    asked, given = _terms(part), TERMS.get(chosen, frozenset())
    if "share alike" in asked and chosen not in (part[1], LATER.get(str(part[1]))):
        return "what is made from it has to go out under the same licence"
    if "non-commercial" in asked and chosen in TERMS and "non-commercial" not in given:
        return "it does not allow commercial use"
    return None


def _terms(part: Part) -> frozenset[str]:
    return TERMS.get(part[1] or "", frozenset())


def _against(stated: str | None) -> str:
    return f"; stated is {stated}" if stated else ""
