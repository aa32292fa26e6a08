"""The metadata that opens a dataset's README: languages, configs and features for the Hub and for `load_dataset`.

datasets names its cache of a local folder after `configs` and `dataset_info` alone, whatever the files hold: so each config's
`dataset_info` carries a digest of its files.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from polypref.cards.markers import listed
from polypref.languages.codes import LANGUAGES
from polypref.schemas import TABLES

TAGS = {"pairs": ["preference", "dpo", "rlhf"]}
SIZES = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
}


def metadata(facts: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata for facts.json; keys, tags and configs that a person added to the `old` one stay."""
    table, languages = (
        facts["table"],
        {code: about for code, about in facts["languages"].items() if about["files"]},
    )
    files = {"default": [file for about in languages.values() for file in about["files"]]}
    files |= {code: about["files"] for code, about in languages.items()}
    rows = sum(file["rows"] for file in files["default"])
    tags = [*TAGS.get(table, ()), *(["multilingual"] if len(languages) > 1 else []), "synthetic", "polypref"]
    sources = list(
        dict.fromkeys(
            source for build in facts["builds"].values() for source in build.get("source_datasets", ())
        )
    )
    own = {
        "language": sorted({LANGUAGES[code].short_code for code in languages}),
        **({"license": facts["license"]} if facts.get("license") else {}),
        "pretty_name": facts["title"],
        "size_categories": [next((size for limit, size in SIZES.items() if rows < limit), "10M<n<100M")],
        "task_categories": ["text-generation"],
        "multilinguality": ["multilingual" if len(languages) > 1 else "monolingual"],
        "annotations_creators": ["machine-generated"],
        "source_datasets": sources or ["original"],
        "tags": list(dict.fromkeys([*tags, *listed(old.get("tags"))])),
        "configs": [_config(name, described) for name, described in files.items() if described],
        "dataset_info": [_info(name, described, table) for name, described in files.items() if described],
    }
    for key in ("configs", "dataset_info"):
        own[key] += [
            config
            for config in listed(old.get(key))
            if config.get("config_name", "default") not in {"default", *facts["languages"]}
        ]
    return {**own, **{key: value for key, value in old.items() if key not in own}}


def _splits(files: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    splits = {split: [file for file in files if file["split"] == split] for split in ("train", "test")}
    return {split: described for split, described in splits.items() if described}


def _config(name: str, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    folder = "*" if name == "default" else name
    data_files = [{"split": split, "path": f"data/{folder}/{split}-*.parquet"} for split in _splits(files)]
    return {"config_name": name, **({"default": True} if name == "default" else {}), "data_files": data_files}


def _info(name: str, files: Sequence[Mapping[str, Any]], table: str) -> dict[str, Any]:
    """The digest stands in `description`, for datasets drops the keys that it does not know before it names its cache."""
    digest = hashlib.sha256(
        "".join(f"{file['sha256']}  {file['path']}\n" for file in files).encode()
    ).hexdigest()
    splits = [
        {
            "name": split,
            "num_bytes": sum(file["arrow_bytes"] for file in described),
            "num_examples": sum(file["rows"] for file in described),
        }
        for split, described in _splits(files).items()
    ]
    return {
        "config_name": name,
        "description": f"sha256 of the content: {digest}",
        "features": [_feature(column, dtype) for column, dtype in TABLES[table].items()],
        "splits": splits,
        "download_size": sum(file["bytes"] for file in files),
        "dataset_size": sum(split["num_bytes"] for split in splits),
    }


def _feature(name: str, dtype: Any) -> dict[str, Any]:
    match dtype:
        case pl.List(inner=pl.Struct(fields=fields)):
            return {"name": name, "list": [_feature(field.name, field.dtype) for field in fields]}
        case _:
            return {
                "name": name,
                "dtype": {pl.String: "string", pl.Int32: "int32", pl.Float64: "float64"}[dtype.base_type()],
            }
