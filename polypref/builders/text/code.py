"""Lines of code that stand in a prompt without a fence.

It knows the looks of common languages, configuration, shell sessions, logs and JSON. It errs towards prose: a line
that reads like a sentence is none of these.
"""

import re
from collections.abc import Sequence

import regex

from polypref.builders.text.spans import KINDS

WORDS = re.compile(r"(?<![\w.(\"'/<$-])[A-Za-z][a-z']*(?![\w(=/\"'>:])(?=[\s,.;:?!)]|$)")
CERTAIN = re.compile(
    r"""(?x)^\s*(?:
      (?:from\s+[\w.]+\s+)?import\s+[\w.*,{}"'@/-]+(?:(?:\s+as)?\s+\w+|\s*,\s*[\w.]+|\s+[{}]|\s+from\s+['"].*)*;?$
    | \#\s*(?:include|define|ifn?def|endif|pragma)\b | using\s+[\w.\s=]+; | \#! | @\w[\w.]*(?:\(.*\))?$
    | (?:async\s+)?(?:def|function|fn|func|sub)\s+\w*\s*\( | class\s+\w+\s*(?:\([\w., ]*\)\s*:|[:{]|(?:extends|implements)\b.*\{)
    | (?:public|private|protected|static|final|export|const|let|var|template|typedef|struct|enum|interface|namespace|package)
      \s+[\w<>\[\],.*&\s]+\s*[({=;]
    | (?:int|char|float|double|bool(?:ean)?|string|String|long|auto|unsigned|void|size_t)\s[\w\s*&,\[\]]+;
    | (?:else|try|finally|do)\s*[{:]$ | \}?\s*(?:if|elif|else\s+if|while|switch|catch|except|with|for|foreach)
      (?:\b(?=.*(?:[\[=<>]|\w\()).*[{:]\s*$|\s*\(.*\)\s*[{;]?\s*$)
    | for\s+\w+(?:,\s*\w+)*\s+in\s+\S+:$ | (?:break|continue|return|pass|end|fi|done|esac);?$
    | return\b.*[(=\[+*].*[;)\]]$ | return\b[^.]*;$
    | (?:\$|>>>|\.\.\.|PS>|C:\\.*>|[\w.-]+@[\w.-]+[:~].*[$\#])\s+\S
    | (?:pip3?|npm|yarn|git|docker|kubectl|apt(?:-get)?|brew|conda|sudo)
      \s+(?:install|clone|commit|push|pull|add|run|build|update|apt|get|exec)\b
    | (?:sudo|pip3?|npm|git|docker|curl|wget|cd|ls|echo|export|chmod|mkdir|python3?|node|bash|sh)\s+(?:["$~-]\S|\S*[./=]\S)
    | SELECT\b.*\b(?:FROM|AS)\b | INSERT\s+INTO | UPDATE\s+\w+\s+SET | (?:CREATE|ALTER|DROP)\s+(?:TABLE|VIEW|INDEX|DATABASE)
    | FROM\s+[\w.]+(?:\s\w+)?[;,]?$ | (?:WHERE|(?:LEFT\s+|INNER\s+)?JOIN|GROUP\s+BY|ORDER\s+BY)\s.*[=<>.,;]
    | (?:Traceback\s\(|File\s".*",\sline\s\d|at\s[\w.$<>]+\(.*\)$|[\w.]+(?:Error|Exception):)
    )"""
)
LIKELY = re.compile(
    r"""(?x)^\s*(?:
      [\w.\[\]"'$@*&>()-]+(?:\s*,\s*[\w.]+)*\s*(?:<-|:=|[-+*/%&|^]?=)\s*[^\s=].*[\w)\]}"';,\\({\[`]\s*$
    | ["'][^"']+["']\s*:\s*.+[,\]}{\["'\d]$ | [\w-]+\s*:\s*[\w.\#%\s-]+;$
    | [\w.]+\(.*\)\s*;?\s*(?:\#.*|//.*)?$
    | //\S? | /\*.*\*/ | .*[{}]\s*(?://.*|\#.*)?$ | .*[=()\[\]<>"'].*;\s*(?://.*|\#.*)?$ | \w+;$
    )"""
)
IN_PROSE = regex.compile(
    "|".join(KINDS[kind] for kind in ("code", "latex", "tag", "url", "email"))
    + r"|\{\{?\w[\w .-]*\}?\}|[\s#*>|-]+$|^[\s#*>|-]+"
)
SYMBOLS = re.compile(r"[{}()\[\]<>=;|\\&+*_^$#@~/\"]|::|->|=>")


def code_lines(lines: Sequence[str], known: Sequence[bool]) -> list[int]:
    """The numbers of the lines that are code, of those that are not `known` to be kept anyway.

    A line between two lines of code is code too where it is indented, a comment, or full of symbols.
    """
    strong = [not known[n] and _is_code(line) for n, line in enumerate(lines)]
    found = {n for n, code in enumerate(strong) if code}
    for n in sorted(found):
        near = n + 1
        while near < len(lines) and near not in found and _may_be_code(lines[near], lines[n]):
            if not known[near] or lines[near].strip():
                found.add(near)
            near += 1
    return sorted(found)


def _is_code(line: str) -> bool:
    words = WORDS.findall(line)
    symbols = len(SYMBOLS.findall(IN_PROSE.sub("", line)))
    if len(words) >= 6 and symbols < 2 * len(words) ** 0.5 + len(words) / 2:
        return False
    ends = line if len(line) <= 400 else line[:200] + line[-200:]
    if CERTAIN.match(ends) or (LIKELY.match(ends) and (len(words) <= 2 or symbols >= 3)):
        return True
    return symbols >= 4 and symbols > 1.5 * len(words)


def _may_be_code(line: str, above: str) -> bool:
    """A line below one of code: a comment, or one deeper than it that does not read like a sentence."""
    indent, text = len(line) - len(line.lstrip()), line.strip()
    comment = text.startswith(("//", "/*", "*/", "#!", '"""', "'''")) or (
        indent > 0 and text.startswith(("#", "--"))
    )
    deeper = indent > len(above) - len(above.lstrip()) or (indent >= 2 and text[-1:] not in ".?!")
    words = len(WORDS.findall(text))
    return bool(text) and (comment or (deeper and (words < 4 or len(SYMBOLS.findall(text)) > words / 2)))
