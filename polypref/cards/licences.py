"""The licence that data may be published under, given the licences of the sources and models behind it.

licences.csv has the licences of widely used models and datasets, by their ids on the Hub, as their own
cards state them. This is no legal advice: it stops a licence that is plainly wider than what the data was
made from.
"""

import csv
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from polypref.errors import InputError

NOTHING = frozenset[str]()
ATTRIBUTION = frozenset({"attribution"})
SHARE_ALIKE = ATTRIBUTION | {"share alike"}
NON_COMMERCIAL = ATTRIBUTION | {"non-commercial"}
NO_DERIVATIVES = frozenset({"no derivatives"})

# Demands of a licence on those who publish something made from the work. A licence that is missing here
# has terms of its own.
TERMS: Mapping[str, frozenset[str]] = {
    "apache-2.0": NOTHING,
    "mit": NOTHING,
    "bsd-2-clause": NOTHING,
    "bsd-3-clause": NOTHING,
    "cc0-1.0": NOTHING,
    "unlicense": NOTHING,
    "cdla-permissive-2.0": NOTHING,
    "cc-by-3.0": ATTRIBUTION,
    "cc-by-4.0": ATTRIBUTION,
    "odc-by": ATTRIBUTION,
    "cc-by-sa-3.0": SHARE_ALIKE,
    "cc-by-sa-4.0": SHARE_ALIKE,
    "odbl": SHARE_ALIKE,
    "cc-by-nc-3.0": NON_COMMERCIAL,
    "cc-by-nc-4.0": NON_COMMERCIAL,
    "cc-by-nc-sa-3.0": NON_COMMERCIAL | SHARE_ALIKE,
    "cc-by-nc-sa-4.0": NON_COMMERCIAL | SHARE_ALIKE,
    "cc-by-nd-4.0": NO_DERIVATIVES,
    "cc-by-nc-nd-3.0": NO_DERIVATIVES,
    "cc-by-nc-nd-4.0": NO_DERIVATIVES,
}
# Share-alike licences whose text allows a later version in their place.
LATER = {"cc-by-sa-3.0": "cc-by-sa-4.0", "cc-by-nc-sa-3.0": "cc-by-nc-sa-4.0"}
OTHER = "other"  # stated by a publisher who has checked the terms and explains them in the card's notes
STATE_IT = "state publish.license in the recipe"

Part = tuple[str, str | None]  # ("model facebook/nllb-200-3.3B", its licence or None if unknown)


def known_license(name: str) -> str | None:
    """Return the licence of a model or dataset by its id on the Hub; None if licences.csv lacks it."""
    for pattern, license in _known_licenses():
        if fnmatchcase(name, pattern):
            return license
    return None


@cache
def _known_licenses() -> list[tuple[str, str]]:
    with Path(__file__).with_name("licences.csv").open(encoding="utf-8", newline="") as file:
        return [(row["pattern"], row["license"]) for row in csv.DictReader(file)]


def card_license(location: str, hub_revision: str | None) -> str | None:
    """Return the licence that a model's own card states, in its folder or on the Hub.

    location: a folder, or an id on the Hub if there is a `hub_revision`. Returns None if the card states
    none or cannot be read.
    """
    if hub_revision is None:
        card = Path(location) / "README.md"
        return _stated_license(card.read_text("utf-8")) if card.is_file() else None
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

    try:
        card = Path(hf_hub_download(location, "README.md", revision=hub_revision))
    except (EntryNotFoundError, HfHubHTTPError, OSError):
        return None
    return _stated_license(card.read_text("utf-8"))


def _stated_license(card: str) -> str | None:
    """Return `license` of a card's metadata. Cards of others may be malformed: that is no error here."""
    before, *rest = card.split("---\n", 2)
    if len(rest) < 2 or before.strip():
        return None
    try:
        header = yaml.safe_load(rest[0])
    except yaml.YAMLError:
        return None
    license = header.get("license") if isinstance(header, dict) else None
    return str(license) if license else None


def licensed_parts(facts: Mapping[str, Any]) -> list[Part]:
    """Return the sources and models of facts.json, each once."""
    parts: list[Part] = []
    builds = facts["builds"].values()
    for build in builds:
        licenses = build.get("source_licenses", {})
        parts += [(f"source {name}", licenses.get(name)) for name in build["sources"]]
    for build in builds:
        parts += [(f"{model['role']} {model['model']}", model.get("license")) for model in build["models"]]
    return list(dict.fromkeys(parts))


def resolve_license(stated: str | None, parts: Iterable[Part]) -> str:
    """Return the licence of data made from `parts`: the stated one, or the one that follows from theirs.

    Raises InputError, naming both sides, if two licences cannot be met together. Raises it also if none is
    stated and the licence of a part is unknown, or has terms of its own that no table can weigh.
    """
    parts = list(parts)
    if stated == OTHER:
        return stated
    for name, license in parts:
        if "no derivatives" in _terms(license):
            addition = f"; stated is {stated}" if stated else ""
            raise InputError(f"licence: {name} is {license}, which allows no derivatives{addition}")
    if not stated:
        return _derived_license(parts)
    for name, license in parts:
        conflict = _conflict(license, stated)
        if conflict:
            raise InputError(
                f"licence: {stated} is stated, but conflicts with {name} ({license}): {conflict}"
            )
    return stated


def _derived_license(parts: list[Part]) -> str:
    """Return the licence that follows from the parts' licences."""
    for name, license in parts:
        if license is None:
            raise InputError(f"licence: none is stated and that of {name} is not known; {STATE_IT}")
    if not parts:
        raise InputError(f"licence: none is stated and none follows; {STATE_IT}")
    derived = _strictest({license for _, license in parts if license})
    for name, license in parts:
        conflict = _conflict(license, derived) or _unknown_terms(license, derived)
        if conflict:
            source, source_license = next(
                part for part in parts if LATER.get(str(part[1]), part[1]) == derived
            )
            raise InputError(
                f"licence: {name} ({license}) conflicts with {source} ({source_license}): {conflict}; "
                f"leave one of them out, or {STATE_IT}"
            )
    return derived


def _strictest(licenses: set[str]) -> str:
    """Return the licence that meets all of these if one does, else one that leaves the least choice."""
    if len(licenses) == 1:
        return next(iter(licenses))
    own_terms = sorted(name for name in licenses if name not in TERMS)
    if own_terms:
        return own_terms[0]
    share_alike = [LATER.get(name, name) for name in licenses if "share alike" in TERMS[name]]
    if share_alike:
        return max(share_alike)
    terms = NOTHING.union(*(TERMS[name] for name in licenses))
    if "non-commercial" in terms:
        return "cc-by-nc-4.0"
    return "cc-by-4.0" if terms else "apache-2.0"


def _conflict(license: str | None, chosen: str) -> str | None:
    """Return why data made from a part with this licence cannot be published under `chosen`."""
    terms = _terms(license)
    if "share alike" in terms and chosen not in (license, LATER.get(str(license))):
        return "derived works must carry the same licence"
    if "non-commercial" in terms and chosen in TERMS and "non-commercial" not in TERMS[chosen]:
        return "it does not allow commercial use"
    return None


def _unknown_terms(license: str | None, chosen: str) -> str | None:
    """Return a conflict if two licences differ, one has terms of its own, and the other demands anything."""
    if license == chosen:
        return None
    if license not in TERMS or (chosen not in TERMS and _terms(license)):
        return "nothing is known to meet the terms of both"
    return None


def _terms(license: str | None) -> frozenset[str]:
    return TERMS.get(license or "", NOTHING)
