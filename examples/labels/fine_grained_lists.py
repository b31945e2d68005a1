#!/usr/bin/env python3
"""Writes the lists of Stanford Cars or Stanford Dogs as text, which c2f::data::read_cars and read_dogs read.

  fine_grained_lists.py FOLDER

Cars: of devkit/cars_meta.mat, devkit/cars_train_annos.mat and cars_test_annos_withlabels.mat (there or in devkit) become class_names.txt,
cars_train.txt and cars_test.txt, a line a picture: name, class from 1, and the box x1 y1 x2 y2. Dogs: of train_list.mat and test_list.mat
become train_list.txt and test_list.txt, a name a line. Files that are there are replaced. Needs scipy.
"""
import os
import pathlib
import sys

import numpy
import scipy.io


def matrix(path, name):
    """A variable of a MATLAB file, as an array of records, numbers or texts."""
    found = scipy.io.loadmat(path, squeeze_me=True)
    if name not in found:
        sys.exit(f"'{path}' has no variable {name}; take the published file")
    return numpy.atleast_1d(found[name])


def write(path, lines):
    part = path.with_suffix(".part")
    part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    os.replace(part, path)  # a file is complete or absent
    print(f"{path}: {len(lines)} lines")


def cars(root):
    tested = [path for path in (root / "cars_test_annos_withlabels.mat", root / "devkit/cars_test_annos_withlabels.mat") if path.is_file()]
    if not tested:
        sys.exit(f"'{root}' has no cars_test_annos_withlabels.mat, the test pictures with their classes; copy it there")
    write(root / "class_names.txt", list(matrix(root / "devkit/cars_meta.mat", "class_names")))
    numbers = ("class", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2")
    for part, path in (("train", root / "devkit/cars_train_annos.mat"), ("test", tested[0])):
        write(root / f"cars_{part}.txt", [" ".join([f"cars_{part}/{row['fname']}", *(str(int(row[name])) for name in numbers)])
                                          for row in matrix(path, "annotations")])


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: fine_grained_lists.py FOLDER")
    root = pathlib.Path(sys.argv[1])
    if (root / "devkit/cars_meta.mat").is_file():
        cars(root)
    elif (root / "train_list.mat").is_file() and (root / "test_list.mat").is_file():
        for part in ("train", "test"):
            write(root / f"{part}_list.txt", list(matrix(root / f"{part}_list.mat", "file_list")))
    else:
        sys.exit(f"'{root}' has neither devkit/cars_meta.mat nor train_list.mat and test_list.mat; name the folder of Cars or Dogs")


if __name__ == "__main__":
    main()
