"""Lines of code that stand in a prompt without a fence.

Patterns know the looks of common languages, configuration, shell sessions, logs and JSON. They err
towards prose: prose that is taken for code stays English in every translation, and no check reports it.
"""

import re
from collections.abc import Sequence

import regex

from polypref.builders.text.spans import KINDS

# A word as it stands in a sentence: not foo(, x = …, "quoted, a.b, /path, <tag, --flag.
WORDS = re.compile(r"(?<![\w.(\"'/<$-])[A-Za-z][a-z']*(?![\w(=/\"'>:])(?=[\s,.;:?!)]|$)")

# Lines that are code whatever else they hold. Each alternative matches from the line's first character on.
CERTAIN = re.compile(
    r"""
    ^\s*(?:
    # Imports and directives
      (?:from\s+[\w.]+\s+)?import\s+[\w.*,{}"'@/-]+
        (?:(?:\s+as)?\s+\w+|\s*,\s*[\w.]+|\s+[{}]|\s+from\s+['"].*)*;?$   # import numpy as np
    | \#\s*(?:include|define|ifn?def|endif|pragma)\b                       # #include <stdio.h>
    | using\s+[\w.\s=]+;                                                   # using namespace std;
    | \#!                                                                  # #!/bin/sh
    | @\w[\w.]*(?:\(.*\))?$                                                # @app.route("/")
    # Definitions
    | (?:async\s+)?(?:def|function|fn|func|sub)\s+\w*\s*\(                 # def f(x): return x
    | class\s+\w+\s*(?:\([\w., ]*\)\s*:|[:{]|(?:extends|implements)\b.*\{) # class Dog(Animal):
    | (?:public|private|protected|static|final|export|const|let|var|template|typedef|struct|enum|interface
        |namespace|package)\s+[\w<>\[\],.*&\s]+\s*[({=;]                   # public static void main(
    | (?:int|char|float|double|bool(?:ean)?|string|String|long|auto|unsigned|void|size_t)
        \s[\w\s*&,\[\]]+;                                                  # int a, b[3];
    # Control flow
    | (?:else|try|finally|do)\s*[{:]$                                      # else:
    | \}?\s*(?:if|elif|else\s+if|while|switch|catch|except|with|for|foreach)
        (?: \b(?=.*(?:[\[=<>]|\w\()).*[{:]\s*$                             # if x == 1:   but not "If so:"
          | \s*\(.*\)\s*[{;]?\s*$ )                                        # while (x < 3) {
    | for\s+\w+(?:,\s*\w+)*\s+in\s+\S+:$                                   # for k, v in items:
    | (?:break|continue|return|pass|end|fi|done|esac);?$                   # break;
    | return\b.*[(=\[+*].*[;)\]]$                                          # return f(x)
    | return\b[^.]*;$                                                      # return a + b;
    # Shells
    | (?:\$|>>>|\.\.\.|PS>|C:\\.*>|[\w.-]+@[\w.-]+[:~].*[$\#])\s+\S        # $ ls   >>> x   me@host:~$ ls
    | (?:pip3?|npm|yarn|git|docker|kubectl|apt(?:-get)?|brew|conda|sudo)
        \s+(?:install|clone|commit|push|pull|add|run|build|update|apt|get|exec)\b   # pip install x
    | (?:sudo|pip3?|npm|git|docker|curl|wget|cd|ls|echo|export|chmod|mkdir|python3?|node|bash|sh)
        \s+(?:["$~-]\S|\S*[./=]\S)                                         # cd ~/src   python run.py
    # SQL and Dockerfiles
    | SELECT\b.*\b(?:FROM|AS)\b                                            # SELECT name FROM users
    | INSERT\s+INTO                                                        # INSERT INTO users
    | UPDATE\s+\w+\s+SET                                                   # UPDATE users SET
    | (?:CREATE|ALTER|DROP)\s+(?:TABLE|VIEW|INDEX|DATABASE)                # CREATE TABLE users
    | FROM\s+[\w.]+(?:\s\w+)?[;,]?$                                        # FROM users u
    | (?:WHERE|(?:LEFT\s+|INNER\s+)?JOIN|GROUP\s+BY|ORDER\s+BY)\s.*[=<>.,;]  # WHERE a = 1
    # Stack traces
    | (?:Traceback\s\(|File\s".*",\sline\s\d|at\s[\w.$<>]+\(.*\)$|[\w.]+(?:Error|Exception):)  # ValueError: x
    )
    """,
    re.VERBOSE,
)

# Lines that are code where they hold few words of prose or many symbols.
LIKELY = re.compile(
    r"""
    ^\s*(?:
      [\w.\[\]"'$@*&>()-]+(?:\s*,\s*[\w.]+)*\s*(?:<-|:=|[-+*/%&|^]?=)
        \s*[^\s=].*[\w)\]}"';,\\({\[`]\s*$                  # x = foo(bar)[0]   n <- 30   a, b := f()
    | ["'][^"']+["']\s*:\s*.+[,\]}{\["'\d]$                 # "key": "a value",
    | [\w-]+\s*:\s*[\w.\#%\s-]+;$                           # color: red;
    | [\w.]+\(.*\)\s*;?\s*(?:\#.*|//.*)?$                   # print(x)  # a comment
    | //\S?                                                 # // a comment
    | /\*.*\*/                                              # /* a comment */
    | .*[{}]\s*(?://.*|\#.*)?$                              # } else {
    | .*[=()\[\]<>"'].*;\s*(?://.*|\#.*)?$                  # std::cout << x;
    | \w+;$                                                 # done;
    )
    """,
    re.VERBOSE,
)

# Symbols of these say nothing about the line: they stand in prose too.
IN_PROSE = regex.compile(
    "|".join(KINDS[kind] for kind in ("code", "latex", "tag", "url", "email"))
    + r"""
    | \{\{?\w[\w .-]*\}?\}          # {name}   {{ a name }}
    | [\s#*>|-]+$ | ^[\s#*>|-]+     # "## " before a title, " |" behind a cell
    """,
    regex.VERBOSE,
)
SYMBOLS = re.compile(r"[{}()\[\]<>=;|\\&+*_^$#@~/\"]|::|->|=>")
COMMENTS = ("//", "/*", "*/", "#!", '"""', "'''")
INDENTED_COMMENTS = ("#", "--")  # at the margin these open a title and a list
# Characters of a line that CERTAIN and LIKELY look at: its two ends. Their `.*` take quadratic time, 200 ms
# for a line of 40,000 characters.
LONGEST_LINE = 400


def code_lines(lines: Sequence[str], kept: Sequence[bool]) -> list[int]:
    """Return the numbers of the lines that are code, of those that are not `kept` anyway.

    A line below one of code is code too where it is a comment, or is deeper and unlike a sentence.
    """
    code = []
    opening = None  # the line of code that the lines below it may continue
    for number, line in enumerate(lines):
        if not kept[number] and _is_code(line):
            opening = line
        elif opening is None or not _continues_code(line, opening):
            opening = None
            continue
        code.append(number)
    return code


def _is_code(line: str) -> bool:
    """Return whether a line is code on its own: it looks like code, or is full of symbols.

    From six words on, a line is prose unless it has about one symbol a word: "Let the sum (a + b) be
    even" has 6 words and 3 symbols, and 8 would make it code.
    """
    words = len(WORDS.findall(line))
    symbols = len(SYMBOLS.findall(IN_PROSE.sub("", line)))
    if words >= 6 and symbols < 2 * words**0.5 + words / 2:
        return False
    half = LONGEST_LINE // 2
    ends = line if len(line) <= LONGEST_LINE else line[:half] + line[-half:]
    if CERTAIN.match(ends):
        return True
    if LIKELY.match(ends) and (words <= 2 or symbols >= 3):
        return True
    return symbols >= 4 and symbols > 1.5 * words


def _continues_code(line: str, code: str) -> bool:
    """Return whether a line below one of code belongs to it."""
    text = line.strip()
    if not text:
        return False
    indent = len(line) - len(line.lstrip())
    if text.startswith(COMMENTS) or (indent > 0 and text.startswith(INDENTED_COMMENTS)):
        return True
    code_indent = len(code) - len(code.lstrip())
    deeper = indent > code_indent or (indent >= 2 and text[-1] not in ".?!")
    words = len(WORDS.findall(text))
    return deeper and (words < 4 or len(SYMBOLS.findall(text)) > words / 2)
