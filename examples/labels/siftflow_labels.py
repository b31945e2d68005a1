#!/usr/bin/env python3
"""Writes the label maps of SIFT Flow as PNG files, which c2f::data::siftflow reads.

  siftflow_labels.py SiftFlowDataset

For every SemanticLabels/ALBUM/NAME.mat, a MATLAB file whose variable S is the map of labels (0: unlabelled, 1 to 33: a class), NAME.png is
written beside it. A file that is there is kept. Needs scipy and Pillow.
"""
import os
import pathlib
import sys

import numpy
import scipy.io
from PIL import Image


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: siftflow_labels.py SiftFlowDataset")
    files = sorted(pathlib.Path(sys.argv[1]).glob("SemanticLabels/*/*.mat"))
    if not files:
        sys.exit(f"'{sys.argv[1]}' has no SemanticLabels/*/*.mat; name the folder that has SemanticLabels")
    written = 0
    for file in files:
        target = file.with_suffix(".png")
        if target.exists():
            continue
        labels = scipy.io.loadmat(file)["S"]
        if labels.ndim != 2 or labels.min() < 0 or labels.max() > 33:
            sys.exit(f"'{file}' has labels of the shape {labels.shape} from {labels.min()} to {labels.max()}; a map of 0 to 33 is expected")
        part = target.with_suffix(".part")
        Image.fromarray(labels.astype(numpy.uint8), "L").save(part, "PNG")
        os.replace(part, target)  # a file is complete or absent
        written += 1
    print(f"{written} label maps written, {len(files) - written} were there")


if __name__ == "__main__":
    main()
