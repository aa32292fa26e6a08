"""The models of a build, as its cards name them: role, revision, settings and licence."""

from collections.abc import Iterator
from typing import Any

from polypref.builders.build import Build
from polypref.builders.recipe import ImportedScores, LanguageRule, PairScores, Recipe
from polypref.builders.tables.read import Rows
from polypref.cards.licences import card_license, known_license
from polypref.config import Config
from polypref.engines.address import public_name
from polypref.engines.config import HttpGenerator, PseudoTranslator

# Fields of an engine's config that the card shows elsewhere, or that say nothing about the data.
NOT_SETTINGS = {"kind", "model", "revision", "base_url", "dtype", "tokens_per_batch"}


def describe_models(build: Build) -> list[dict[str, Any]]:
    """Describe every engine of the recipe: role, name, model, revision, settings, licence (None: unknown)."""
    descriptions = []
    for role, name, config in _engines(build.recipe):
        revision, license = "", None
        match config:
            case Rows():
                model = f"imported from {config.name}"
                license = config.license or known_license(config.name)
            case PseudoTranslator():
                model = "pseudo-localisation"
            case HttpGenerator():
                model, revision = config.model, f"as served at {public_name(config.base_url)}"
                license = known_license(model)
            case _:
                resolved = build.workdir.resolve(config.model, config.revision)
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
