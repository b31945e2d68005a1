"""Exchange of tensors with C++ through files (format: exchange.hpp), and comparisons for the parity tests."""
import os
import struct
import subprocess
import sys
import tempfile

import numpy

TYPES = [numpy.dtype("<f4"), numpy.dtype("<i8")]


def write(path, tensors):
    with open(path, "wb") as file:
        file.write(b"C2FX")
        for name, value in tensors.items():
            value = numpy.asarray(value)
            value = numpy.ascontiguousarray(value, TYPES[value.dtype.kind in "iu"]).reshape(value.shape)
            file.write(struct.pack("<I", len(name)) + name.encode())
            file.write(struct.pack(f"<II{value.ndim}q", TYPES.index(value.dtype), value.ndim, *value.shape))
            file.write(value.tobytes())


def read(path):
    with open(path, "rb") as file:
        data = memoryview(file.read())
    assert data[:4] == b"C2FX", path
    tensors, at = {}, 4
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        name = bytes(data[at + 4 : at + 4 + length]).decode()
        kind, rank = struct.unpack_from("<II", data, at + 4 + length)
        at += 12 + length
        dims = struct.unpack_from(f"<{rank}q", data, at)
        count = int(numpy.prod(dims, dtype=numpy.int64))
        tensors[name] = numpy.frombuffer(data, TYPES[kind], count, at + 8 * rank).reshape(dims)
        at += 8 * rank + count * TYPES[kind].itemsize
    return tensors


def call(program, what, given):
    """Runs parity_<program> WHAT IN OUT; `given` are tensors for the file IN, or an argument."""
    folder = os.environ.get("C2F_BIN")
    path = folder and os.path.join(folder, f"parity_{program}")
    if not path or not os.access(path, os.X_OK):
        print(f"skipped: parity_{program} is not built; set C2F_BIN to its folder")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        source, out = os.path.join(scratch, "in"), os.path.join(scratch, "out")
        if isinstance(given, dict):
            write(source, given)
        if subprocess.run([path, what, source if isinstance(given, dict) else str(given), out]).returncode:
            sys.exit(1)
        return read(out)


class Comparison:
    """Collects relative errors max|a - b| / max|b| and reports those above the limit."""

    def __init__(self, title, limit=1e-4):
        self.title, self.limit, self.errors = title, limit, {}

    def add(self, name, found, wanted):
        found, wanted = numpy.asarray(found, numpy.float64), numpy.asarray(wanted, numpy.float64)
        if found.shape != wanted.shape:
            sys.exit(f"{self.title}: {name} is {found.shape}, and {wanted.shape} in Python")
        scale = numpy.abs(wanted).max()
        error = numpy.abs(found - wanted).max()
        self.errors[name] = error / scale if scale > 0 else error  # an infinity or a NaN on either side is kept

    def add_all(self, prefix, found, wanted):
        """The tensors of `found` below a prefix; both sides must have the same names."""
        inside = {name[len(prefix) :]: value for name, value in found.items() if name.startswith(prefix)}
        if inside.keys() != wanted.keys():
            sys.exit(f"{self.title}: {prefix}: only on one side: {sorted(inside.keys() ^ wanted.keys())[:5]}")
        for name, value in inside.items():
            self.add(prefix + name, value, wanted[name])

    def passed(self):
        bad = {name: error for name, error in self.errors.items() if not error <= self.limit}
        worst = max(self.errors, key=lambda name: -1 if numpy.isnan(self.errors[name]) else self.errors[name])
        print(f"{self.title}: {len(self.errors)} tensors, largest relative error {self.errors[worst]:.1e} ({worst}), limit {self.limit:g}")
        for name, error in list(bad.items())[:10]:
            print(f"  too large: {name} {error:.2e}")
        return not bad
