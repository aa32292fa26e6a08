"""What the Hub's metadata check says about a README."""

import re

import yaml

LICENSES = {
    "afl-3.0",
    "agpl-3.0",
    "apache-2.0",
    "apple-amlr",
    "artistic-2.0",
    "bigcode-openrail-m",
    "bigscience-bloom-rail-1.0",
    "bigscience-openrail-m",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsl-1.0",
    "c-uda",
    "cc",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "cdla-permissive-1.0",
    "cdla-permissive-2.0",
    "cdla-sharing-1.0",
    "creativeml-openrail-m",
    "ecl-2.0",
    "epl-1.0",
    "epl-2.0",
    "etalab-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "gemma",
    "gfdl",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "isc",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "lgpl-lr",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "mit",
    "mpl-2.0",
    "ms-pl",
    "ncsa",
    "odbl",
    "odc-by",
    "ofl-1.1",
    "openrail",
    "openrail++",
    "osl-3.0",
    "other",
    "pddl",
    "postgresql",
    "unknown",
    "unlicense",
    "wtfpl",
    "zlib",
}


def card_metadata(readme):
    """The YAML block that opens a README (None when there is none). Raises yaml.YAMLError."""
    m = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", readme, re.S)
    return None if m is None else (yaml.safe_load(m.group(1)) or {})


def card_problems(readme):
    """Return (errors, warnings) as the Hub's /api/validate-yaml would; its rules are not public."""
    try:
        meta = card_metadata(readme)
    except yaml.YAMLError as e:
        return [f"YAML Metadata Error: {e}"], []
    if meta is None:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(meta, dict):
        return ["YAML Metadata Error: should be a mapping"], []
    errors = []
    for key in ("language", "license", "tags", "task_categories", "size_categories", "datasets"):
        values = meta.get(key)
        for i, v in enumerate(values if isinstance(values, list) else [] if values is None else [values]):
            if not isinstance(v, str):  # "language: no" is the boolean false in YAML
                errors.append(f'"{key}[{i}]" must be a string')
            elif key == "language" and not re.fullmatch(
                r"multilingual|code|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", v
            ):
                errors.append(f'"language[{i}]" must be an ISO 639-1, 639-2 or 639-3 code, got "{v}"')
            elif key == "license" and v not in LICENSES:
                errors.append(f'"license" must be one of the known license ids, got "{v}"')
    configs = meta.get("configs")
    if configs is not None:
        names = (
            [c.get("config_name") if isinstance(c, dict) else None for c in configs]
            if isinstance(configs, list)
            else [None]
        )
        if not all(isinstance(n, str) for n in names):
            errors.append('"configs" must be a list of mappings with a "config_name"')
        elif len(set(names)) != len(names):
            errors.append('"configs" has a duplicate "config_name"')
    return errors, []
