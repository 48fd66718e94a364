"""Ratios, measured side by side in one run: `make bench` prints them. Nothing here is a test of time.

    python tests/benchmarks [NAME …]

Each figure is the median of runs that alternate between the things compared, so that a busy machine slows them all.
"""

from __future__ import annotations

import argparse
import importlib

NAMES = ("loading", "rules", "durability", "latency", "processor", "memory", "browsing")


def main() -> None:
    options = argparse.ArgumentParser(prog="benchmarks", description="Print what was measured; all by default.")
    options.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    wanted = options.parse_args().names
    for name in wanted:
        if name not in NAMES:
            options.error(f"{name!r} is none of {', '.join(NAMES)}")
    for name in wanted or NAMES:
        for line in importlib.import_module(name).figures():
            print(line, flush=True)


if __name__ == "__main__":
    main()
