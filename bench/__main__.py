"""`python -m bench [TOPIC …] [--data PATH]`: each topic prints what was measured, what is to be reached, and a rival of the same run."""

import argparse
import importlib
import importlib.util

TOPICS = ("filters", "translate", "engines", "publish")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--data", help="a folder of real texts, for the topics that want some")
    args = parser.parse_args()
    for topic in args.topics or [name for name in TOPICS if importlib.util.find_spec(f"bench.{name}")]:
        print(f"\n{topic}")
        importlib.import_module(f"bench.{topic}").run(args)


if __name__ == "__main__":
    main()
