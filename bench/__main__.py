"""Print the project's figures: `python -m bench [TOPIC …] [--data FOLDER]`.

Each row of a topic's tables has a figure, its goal, and where there is one a rival's figure from the same
run.
"""

import argparse
import importlib

TOPICS = ("filters", "translate", "engines", "publish")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--data", help="a folder of real texts, for the figures that need some")
    args = parser.parse_args()
    for topic in args.topics:
        if topic not in TOPICS:
            parser.error(f"unknown topic {topic!r}; expected some of {', '.join(TOPICS)}")
    for topic in args.topics or TOPICS:
        print(f"\n{topic}")
        importlib.import_module(f"bench.{topic}").run(args)


if __name__ == "__main__":
    main()
