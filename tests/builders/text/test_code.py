"""Bare lines of code are told from prose."""

import pytest

from polypref.builders.text.code import code_lines
from polypref.builders.text.parse import parse, sentences


@pytest.mark.parametrize(
    "line",
    [
        "for example:",
        "If you have any questions:",
        "python basics course",
        "apples and pears;",
        "x is the number of red apples",
        "Return the list sorted by name:",
        "while you wait, read this (please)",
        "Note (important): read the class notes.",
    ],
)
def test_prose_is_not_taken_for_code(line: str) -> None:
    assert len(sentences(parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import numpy as np",
        "def f(x): return x",
        "#include <stdio.h>",
        "x = foo(bar)[0]",
        "SELECT name FROM users",
        "} else {",
        '  "key": "a value",',
        "$ pip install x",
        "color: red;",
        "return a + b;",
        "from a import b, c",
        "using namespace std;",
        "#!/bin/sh",
        '@app.route("/")',
        "class Dog(Animal):",
        "public static void main(String[] args) {",
        "int a, b[3];",
        "else:",
        "if x == 1:",
        "while (x < 3) {",
        "for k, v in items:",
        "break;",
        "return f(x)",
        ">>> x",
        "me@host:~$ ls",
        "cd ~/src",
        "INSERT INTO users",
        "UPDATE users SET a = 1",
        "CREATE TABLE users",
        "FROM users u",
        "WHERE a = 1",
        "Traceback (most recent call last):",
        "ValueError: x",
        "n <- 30",
        "a, b := f()",
        "print(x)  # a comment",
        "// a comment",
        "/* a comment */",
        "std::cout << x;",
        "done;",
    ],
)
def test_bare_code_passes(line: str) -> None:
    assert parse(line) == [line]


def test_lines_below_code_are_code_where_they_are_deeper_or_comments() -> None:
    lines = ["Fix it:", "for x in y:", "    # say it", "    print it out", "Thanks a lot"]
    assert code_lines(lines, [False] * 5) == [1, 2, 3]
