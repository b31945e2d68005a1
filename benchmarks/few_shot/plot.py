#!/usr/bin/env python3
"""The figure of docs/few-shot.md: accuracy among all classes by the number of samples of a new class, of each method.

  plot.py --json runs/phi2/predictor.json --out docs/predicted_rows.svg

The JSON is what 42_parameter_predictor writes into --out. Bars are the 95 % intervals over the draws of the samples.
"""
import argparse
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from _plot import lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    words = parser.parse_args()
    found = json.loads(words.json.read_text(encoding="utf-8"))
    shots = {int(name.split()[1]): methods for name, methods in found.items() if name.startswith("all, ")}
    if not shots:
        parser.exit(2, f"'{words.json}' has no scores 'all, N shot'; it is to be predictor.json of 42_parameter_predictor\n")

    def series(score):
        methods = dict.fromkeys(method for of in shots.values() for method in of)
        return [(method, [(shot, 100 * of[method][score]["accuracy"], 100 * of[method][score].get("interval", 0))
                          for shot, of in sorted(shots.items()) if method in of]) for method in methods]

    lines(words.out, "Accuracy among all classes", "samples of a new class",
          [("test images of new classes", "top-1 in %", series("3 new top1")), ("test images of large categories", "top-1 in %", series("1 large top1"))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
