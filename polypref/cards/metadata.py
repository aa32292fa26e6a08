"""The metadata at the top of a dataset's README, for the Hub and `load_dataset`.

`datasets` names its cache of a local folder after `configs` and `dataset_info` alone, whatever the files
hold. Each config's `dataset_info` therefore carries a digest of its files.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from polypref.cards.markers import as_list
from polypref.languages.codes import LANGUAGES
from polypref.schemas import TABLES

File = Mapping[str, Any]  # a parquet file, as facts.json describes it

TAGS = {"pairs": ["preference", "dpo", "rlhf"]}
# The Hub's categories, each with the number of rows that it stays below.
SIZES = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
}
DTYPES = {pl.String: "string", pl.Int32: "int32", pl.Float64: "float64"}


def dataset_metadata(facts: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata for facts.json; keys, tags and configs that people added to the `old` one stay."""
    languages = {code: entry for code, entry in facts["languages"].items() if entry["files"]}
    multilingual = len(languages) > 1
    files: dict[str, list[File]] = {"default": []}
    for code, entry in languages.items():
        files["default"] += entry["files"]
        files[code] = entry["files"]
    rows = sum(file["rows"] for file in files["default"])
    sources, roles = [], []
    for build in facts["builds"].values():
        sources += build.get("source_datasets", ())
        roles += [model["role"] for model in build.get("models", ())]
    tags = [*TAGS.get(facts["table"], ()), *(["multilingual"] if multilingual else [])]
    own: dict[str, Any] = {
        "language": sorted({LANGUAGES[code].short_code for code in languages}),
        "license": facts.get("license"),
        "pretty_name": table_title(facts),
        "size_categories": [_size_category(rows)],
        "task_categories": ["text-generation"],
        "multilinguality": ["multilingual" if multilingual else "monolingual"],
        "annotations_creators": ["crowdsourced" if "human scores" in roles else "machine-generated"],
        "source_datasets": list(dict.fromkeys(sources)) or ["original"],
        "tags": list(dict.fromkeys([*tags, "synthetic", "polypref", *as_list(old.get("tags"))])),
        "configs": [_config(name, described) for name, described in files.items()],
        "dataset_info": [_info(name, described, facts["table"]) for name, described in files.items() if rows],
    }
    if not own["license"]:
        del own["license"]
    ours = {"default", *facts["languages"]}
    for key in ("configs", "dataset_info"):
        for config in as_list(old.get(key)):
            if config.get("config_name", "default") not in ours:
                own[key].append(config)
    return own | {key: value for key, value in old.items() if key not in own}


def table_title(facts: Mapping[str, Any]) -> str:
    """Return the title of a repository: that of the pairs, with the table's name for other tables."""
    names = {"candidates": "completions", "rejected": "rejected rows"}
    table = facts["table"]
    return facts["title"] if table == "pairs" else f"{facts['title']}: {names.get(table, table)}"


def content_sha256(files: Iterable[File]) -> str:
    """Return a digest of the rows in these files, from the digests that facts.json has of them."""
    lines = [f"{file['sha256']}  {file['path']}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def rows_by_split(files: Iterable[File]) -> dict[str, int]:
    """Return the rows that the files of each split have together."""
    rows = {"train": 0, "test": 0}
    for file in files:
        rows[file["split"]] += file["rows"]
    return rows


def _size_category(rows: int) -> str:
    for limit, category in SIZES.items():
        if rows < limit:
            return category
    return "10M<n<100M"


def _splits(files: Sequence[File]) -> dict[str, list[File]]:
    """Return the files of each split that has any, train first."""
    splits = {}
    for split in ("train", "test"):
        described = [file for file in files if file["split"] == split]
        if described:
            splits[split] = described
    return splits


def _config(name: str, files: Sequence[File]) -> dict[str, Any]:
    """Return a config; without files one that matches none, or the loader would read facts.json as rows."""
    folder = "*" if name == "default" else name
    splits = list(_splits(files)) or ["train"]
    data_files = [{"split": split, "path": f"data/{folder}/{split}-*.parquet"} for split in splits]
    default = {"default": True} if name == "default" else {}
    return {"config_name": name, **default, "data_files": data_files}


def is_own_config(config: Mapping[str, Any]) -> bool:
    """Return whether a config names its files as ours do; `Dataset.push_to_hub` puts them elsewhere."""
    name = config.get("config_name", "default")
    folder = "data/*/" if name == "default" else f"data/{name}/"
    parts = as_list(config.get("data_files"))
    return all(isinstance(part, dict) and str(part.get("path")).startswith(folder) for part in parts)


def _info(name: str, files: Sequence[File], table: str) -> dict[str, Any]:
    splits = []
    for split, described in _splits(files).items():
        size = sum(file["arrow_bytes"] for file in described)
        rows = sum(file["rows"] for file in described)
        splits.append({"name": split, "num_bytes": size, "num_examples": rows})
    return {
        "config_name": name,
        # In `description`, because datasets drops keys that it does not know before it names its cache.
        "description": f"sha256 of the content: {content_sha256(files)}",
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
            return {"name": name, "dtype": DTYPES[dtype.base_type()]}
