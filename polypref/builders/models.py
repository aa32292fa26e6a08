"""The models and sources of a build as its cards name them, and the check of their licences."""

import sys
from collections.abc import Iterator
from typing import Any

from polypref.builders.recipe import ImportedScores, LanguageRule, PairScores, Recipe
from polypref.builders.tables.read import Rows
from polypref.cards.licences import (
    card_license,
    dataset_license,
    known_license,
    licensed_parts,
    resolve_license,
)
from polypref.config import Config
from polypref.engines.address import public_name
from polypref.engines.config import HttpGenerator, PseudoTranslator
from polypref.errors import InputError
from polypref.store.workdir import Workdir

# Fields of an engine's config that the card shows elsewhere, or that say nothing about the data.
NOT_SETTINGS = {"kind", "model", "revision", "base_url", "dtype", "tokens_per_batch"}


def check_license(recipe: Recipe, workdir: Workdir) -> None:
    """Raise InputError if the recipe's licence is one that its sources or models forbid.

    Without one, print why the data could not be published.
    """
    build = {**describe_sources(recipe), "models": describe_models(recipe, workdir)}
    try:
        resolve_license(recipe.publish.license, licensed_parts({"builds": {"": build}}))
    except InputError as error:
        if recipe.publish.license:
            raise
        print(f"{error}; until then the data can be built, but not published", file=sys.stderr)


def describe_sources(recipe: Recipe) -> dict[str, Any]:
    """Return the names of the recipe's sources, and those of their licences that are known."""
    licenses = {source.name: table_license(source) for source in recipe.prompts.sources}
    known = {name: license for name, license in licenses.items() if license}
    return {"sources": list(licenses), "source_licenses": known}


def table_license(table: Rows) -> str | None:
    """Return a table's licence as the recipe states it, or else the dataset's own card."""
    stated = table.license
    if stated is None and table.repo:
        stated = dataset_license(table.repo, table.revision)
    return stated or known_license(table.name)


def describe_models(recipe: Recipe, workdir: Workdir) -> list[dict[str, Any]]:
    """Describe every engine of the recipe: role, name, model, revision, settings, licence (None: unknown)."""
    descriptions = []
    for role, name, config in _engines(recipe):
        revision, license = "", None
        match config:
            case Rows():
                model, license = f"imported from {config.name}", table_license(config)
            case PseudoTranslator():
                model = "pseudo-localisation"
            case HttpGenerator():
                model, revision = config.model, f"as served at {public_name(config.base_url)}"
                license = known_license(model)
            case _:
                resolved = workdir.resolve(config.model, config.revision)
                model, revision = resolved.model, resolved.revision
                license = known_license(model) or card_license(resolved.location, resolved.hub_revision)
        descriptions.append(
            {
                "role": role,
                "name": name,
                "model": model,
                "revision": revision,
                "settings": {} if isinstance(config, Rows) else settings(config),
                "license": license,
            }
        )
    return descriptions


def _engines(recipe: Recipe) -> Iterator[tuple[str, str, Any]]:
    """Yield role, name and config of every engine, in the order in which rows meet them, and of imports."""
    if recipe.translate and recipe.translate.engine:
        yield "translator", recipe.translate.translator, recipe.translate.engine
    generators = recipe.complete.generators.items()
    for generator, completer in generators:
        if completer.engine:
            yield "generator", generator, completer.engine
    for table, filters in recipe.translation_filters().items():
        if filters.quality is not None:
            yield "quality estimator", f"quality of {table}", filters.quality
    for scorer, config in recipe.score.items():
        if not isinstance(config, LanguageRule | ImportedScores | PairScores):
            yield "reward model", scorer, config
    for generator, completer in generators:
        if completer.table:
            yield "generator", generator, completer.table
    for scorer, config in recipe.score.items():
        if isinstance(config, ImportedScores | PairScores):
            yield f"{config.annotators} scores", scorer, config.table


def settings(config: Config) -> dict[str, Any]:
    """Return the fields of an engine's config that can change an answer, nested ones too, as a flat dict."""
    identity = config.identity()
    nested = [value for value in identity.values() if isinstance(value, dict)]
    settings = {}
    for fields in (identity, *nested):
        for key, value in fields.items():
            if key not in NOT_SETTINGS and value not in (None, []) and not isinstance(value, dict):
                settings[key] = value
    return settings
