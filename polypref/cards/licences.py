"""The licence that data may be published under, given the licences of the sources and models behind it.

licences.csv has the licences of widely used models and datasets, by their ids on the Hub, as their own
cards state them. licence_terms.csv has the demands of a licence on those who publish something made from the
work, and the later version that a share-alike licence allows in its place; a licence that is missing there
has terms of its own. This is no legal advice: it stops a licence that is plainly wider than what the data was
made from.
"""

import csv
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from polypref.cards.markers import as_list, split_metadata
from polypref.cards.retries import call_hub
from polypref.errors import InputError

NOTHING = frozenset[str]()
OTHER = "other"  # stated by a publisher who has checked the terms and explains them in the card's notes
STATE_IT = "state publish.license in the recipe"

Part = tuple[str, str | None]  # ("model facebook/nllb-200-3.3B", its licence or None if unknown)


def _read_rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


_KNOWN = _read_rows("licences.csv")
_TERMS: dict[str, frozenset[str]] = {}
_LATER: dict[str, str] = {}
for _row in _read_rows("licence_terms.csv"):
    _TERMS[_row["license"]] = frozenset(filter(None, _row["terms"].split("; ")))
    _LATER[_row["license"]] = _row["later"] or _row["license"]


def known_license(name: str) -> str | None:
    """Return the licence of a model or dataset by its id on the Hub; None if licences.csv lacks it."""
    for row in _KNOWN:
        if fnmatchcase(name, row["pattern"]):
            return row["license"]
    return None


def card_license(location: str, hub_revision: str | None) -> str | None:
    """Return the licence that a model's own card states, in its folder or on the Hub.

    location: a folder, or an id on the Hub if there is a `hub_revision`. Returns None if the card states
    none or cannot be read.
    """
    card = Path(location) / "README.md"
    try:
        if hub_revision is not None:
            from huggingface_hub import hf_hub_download

            card = Path(hf_hub_download(location, "README.md", revision=hub_revision))
        header, _ = split_metadata(card.read_text("utf-8"))
    except (OSError, InputError):  # the Hub's errors are OSErrors, and cards of others may be malformed
        return None
    return _stated_license(header.get("license"))


def dataset_license(repo: str, revision: str) -> str | None:
    """Return the licence that a dataset's card on the Hub states; None if it states none.

    Raises InputError if there is no such dataset, Unavailable if the Hub is away.
    """
    from huggingface_hub import HfApi

    info = call_hub(repo, revision, lambda: HfApi().dataset_info(repo, revision=revision))
    return _stated_license(info.card_data.license if info.card_data else None)


def _stated_license(value: Any) -> str | None:
    """Return the licence in a card's metadata: of several, the one that demands the most."""
    licenses = [str(license) for license in as_list(value) if license not in ("other", "unknown")]
    return max(licenses, key=lambda license: len(_terms(license)), default=None)


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
            source, source_license = next(part for part in parts if _later(part[1]) == derived)
            raise InputError(
                f"licence: {name} ({license}) conflicts with {source} ({source_license}): {conflict}; "
                f"leave one of them out, or {STATE_IT}"
            )
    return derived


def _strictest(licenses: set[str]) -> str:
    """Return the licence that meets all of these if one does, else one that leaves the least choice."""
    if len(licenses) == 1:
        return next(iter(licenses))
    own_terms = sorted(name for name in licenses if name not in _TERMS)
    if own_terms:
        return own_terms[0]
    share_alike = [_LATER[name] for name in licenses if "share alike" in _TERMS[name]]
    if share_alike:
        return max(share_alike)
    terms = NOTHING.union(*(_TERMS[name] for name in licenses))
    if "non-commercial" in terms:
        return "cc-by-nc-4.0"
    return "cc-by-4.0" if terms else "apache-2.0"


def _conflict(license: str | None, chosen: str) -> str | None:
    """Return why data made from a part with this licence cannot be published under `chosen`."""
    terms = _terms(license)
    if "share alike" in terms and chosen not in (license, _later(license)):
        return "derived works must carry the same licence"
    if "non-commercial" in terms and chosen in _TERMS and "non-commercial" not in _TERMS[chosen]:
        return "it does not allow commercial use"
    return None


def _unknown_terms(license: str | None, chosen: str) -> str | None:
    """Return a conflict if two licences differ, one has terms of its own, and the other demands anything."""
    if license == chosen:
        return None
    if license not in _TERMS or (chosen not in _TERMS and _terms(license)):
        return "nothing is known to meet the terms of both"
    return None


def _terms(license: str | None) -> frozenset[str]:
    return _TERMS.get(license or "", NOTHING)


def _later(license: str | None) -> str | None:
    return _LATER.get(license or "", license)
