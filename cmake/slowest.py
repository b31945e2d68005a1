#!/usr/bin/env python3
"""Prints the ten slowest steps of a build and its tests.

  slowest.py BUILD SINCE      BUILD: a Ninja build folder with junit.xml of its tests; SINCE: seconds of the epoch, older steps are left out
"""
import pathlib
import sys
import xml.etree.ElementTree


def compiled(build, since):
    log = build / ".ninja_log"
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        if line.startswith("#"):
            continue
        start, end, written, output, _ = line.split("\t")
        if int(written) / 1e9 >= since:
            yield (int(end) - int(start)) / 1000, f"build {output}"


def tested(build, since):
    log = build / "junit.xml"
    if log.exists() and log.stat().st_mtime >= since:
        for case in xml.etree.ElementTree.parse(log).getroot().iter("testcase"):
            yield float(case.get("time", 0)), f"test  {case.get('name')}"


def main():
    build, since = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    for seconds, what in sorted([*compiled(build, since), *tested(build, since)], reverse=True)[:10]:
        print(f"{seconds:7.1f} s  {what}")


if __name__ == "__main__":
    main()
