"""The models of a build, as its cards name them: role, revision, settings and licence."""

from typing import Any

from polypref.builders.build import Build
from polypref.builders.recipe import ImportedScores, LanguageRule, Recipe
from polypref.cards.licences import card_license, known_license
from polypref.config import Config
from polypref.engines.config import HttpGenerator, PseudoTranslator

# Fields of an engine's config that the card shows elsewhere, or that say nothing about the data.
NOT_SETTINGS = {"kind", "model", "revision", "base_url", "dtype", "tokens_per_batch"}


def describe_models(build: Build) -> list[dict[str, Any]]:
    """Describe every engine of the recipe: role, name, model, revision, settings, licence (None: unknown)."""
    descriptions = []
    for role, engine_name, config in _engines(build.recipe):
        if isinstance(config, HttpGenerator):
            model, revision, license = (
                config.model,
                f"as served at {config.base_url}",
                known_license(config.model),
            )
        elif isinstance(config, PseudoTranslator):
            model, revision, license = "pseudo-localisation", "", None
        else:
            resolved = build.workdir.resolve(config.model, config.revision)
            model, revision = resolved.model, resolved.revision
            license = known_license(model) or card_license(resolved.location, resolved.hub_revision)
        descriptions.append(_description(role, engine_name, model, revision, settings(config), license))
    for generator, completer in build.recipe.complete.generators.items():
        if completer.imported:
            model = f"imported from {completer.imported.name}"
            descriptions.append(_description("generator", generator, model, "", {}, None))
    return descriptions


def _engines(recipe: Recipe) -> list[tuple[str, str, Any]]:
    """Return role, name and config of every engine, in the order in which rows meet them."""
    engines: list[tuple[str, str, Any]] = []
    if recipe.translate and recipe.translate.engine:
        engines.append(("translator", recipe.translate.translator, recipe.translate.engine))
    for generator, completer in recipe.complete.generators.items():
        if completer.engine:
            engines.append(("generator", generator, completer.engine))
    for table, filters in recipe.translation_filters().items():
        if filters.quality is not None:
            engines.append(("quality estimator", f"quality of {table}", filters.quality))
    for scorer, config in recipe.score.items():
        if not isinstance(config, LanguageRule | ImportedScores):
            engines.append(("reward model", scorer, config))
    return engines


def _description(
    role: str, engine_name: str, model: str, revision: str, settings: dict[str, Any], license: str | None
) -> dict[str, Any]:
    return {
        "role": role,
        "name": engine_name,
        "model": model,
        "revision": revision,
        "settings": settings,
        "license": license,
    }


def settings(config: Config) -> dict[str, Any]:
    """Return the fields of an engine's config that can change an answer, nested ones too, as a flat dict."""
    flat: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for key, value in config.identity().items():
        if isinstance(value, dict):
            nested |= value
        else:
            flat[key] = value
    settings = flat | nested
    return {
        key: value for key, value in settings.items() if key not in NOT_SETTINGS and value not in (None, [])
    }
