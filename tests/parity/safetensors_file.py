"""Safetensors files of c2f and of Python: the same bytes in both directions; and c2f refuses every file that Python refuses."""
import pathlib
import random
import struct
import sys
import tempfile

import numpy
import torch

from _exchange import call

try:
    import safetensors
    import safetensors.torch
except ImportError as missing:
    print(f"skipped: {missing.name} is not here; pip install -r requirements.txt")
    sys.exit(77)

WIDE = ["float32", "float64", "bfloat16", "float16", "int64", "int32", "int16", "int8", "uint8", "bool"]
OTHER = ["uint16", "uint32", "uint64", "complex64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]


def random_tensors(draw):
    """Tensors of every type, empty and of no dimension among them, by names that JSON must escape."""
    tensors = {}
    for number in range(draw.randrange(1, 40)):
        shape = [draw.choice([0, 1, 1, 2, 3, 5]) for _ in range(draw.randrange(5))]
        name = "".join(draw.choice('abcXYZ012._-/"\\\n\t\b\f\r\x01\x1f\x7fé😀\u2028') for _ in range(draw.randrange(12))) + str(number)
        dtype = getattr(torch, draw.choice(WIDE))
        values = torch.randint(0, 2, shape) if dtype in (torch.bool, torch.uint8) else torch.randn(shape) * 50
        tensors[name] = values.to(dtype)
    return tensors


def of_all_types():
    raw = torch.arange(48, dtype=torch.uint8)
    tensors = {f"of {name}": raw.clone().view(getattr(torch, name)) for name in WIDE + OTHER if name != "bool"}
    return tensors | {"of bool": raw % 2 == 0}


def agree(found, tensors):
    """The values as c2f reads them, in float32 or int64."""
    return found.keys() == tensors.keys() and all(
        found[name].shape == tuple(value.shape) and numpy.array_equal(found[name], value.to(
            torch.float32 if value.is_floating_point() else torch.int64).numpy()) for name, value in tensors.items())


def round_trips(folder):
    good, count = True, 0
    draw = random.Random(1)
    for number in range(12):
        tensors = random_tensors(draw)
        metadata = draw.choice([None, {"format": "pt"}, {'a"\n': "é\t"}])
        path = folder / f"{number}.safetensors"
        safetensors.torch.save_file(tensors, path, metadata)
        values = agree(call("safetensors_file", "rewrite", path), tensors)
        same = path.read_bytes() == (folder / f"{number}.safetensors.back").read_bytes()
        if not values or not same:
            print(f"  file {number}: values {values}, bytes {same}")
        good, count = good and values and same, count + len(tensors)
    path = folder / "types.safetensors"
    safetensors.torch.save_file(of_all_types(), path)
    call("safetensors_file", "rewrite", path)
    same = path.read_bytes() == (folder / "types.safetensors.back").read_bytes()
    print(f"Python to c2f to Python: 12 files of {count} tensors and one of {len(WIDE + OTHER)} types, "
          f"{'the same' if good and same else 'OTHER'} bytes")
    return good and same


def from_c2f(folder):
    path = folder / "made.safetensors"
    made = call("safetensors_file", "make", path)
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    same = safetensors.torch.save(tensors, metadata) == path.read_bytes()
    good = agree(made, tensors) and metadata == {"made": "by c2f é"} and same
    print(f"c2f to Python: {len(tensors)} tensors, {'the same' if good else 'OTHER'} bytes and numbers")
    return good


def changed(header, draw):
    """The header with one or two of its numbers, names or signs changed."""
    text = list(header)
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(text))
        what = draw.randrange(4)
        if what == 0:
            text[at] = draw.choice('0123456789{}[],:"-. aFU')
        elif what == 1:
            del text[at]
        elif what == 2:
            text.insert(at, draw.choice('0123456789{}[],:"-. '))
        else:
            end = at + draw.randrange(40)
            text[at:at] = text[at:end]
    return "".join(text)


def refusals(folder):
    """Python reads every file that c2f reads. The reverse does not hold: Python accepts duplicate keys, for example."""
    draw, files = random.Random(2), []
    for _ in range(4000):
        tensors = dict(list(random_tensors(draw).items())[:3])
        plain = safetensors.torch.save({f"t{i}": value for i, value in enumerate(tensors.values())})
        length = struct.unpack("<Q", plain[:8])[0]
        header = changed(plain[8 : 8 + length].decode().rstrip(), draw).encode()
        files.append(struct.pack("<Q", len(header)) + header + plain[8 + length :])
    numbers = {str(i): numpy.frombuffer(file, numpy.uint8).astype(numpy.int64) for i, file in enumerate(files)}
    found = call("safetensors_file", "check", numbers)
    good, counts = True, [0, 0, 0]
    for i, file in enumerate(files):
        try:
            safetensors.torch.load(file)
            python = True
        except Exception:
            python = False
        c2f = bool(found[str(i)])
        counts[python + c2f] += 1
        if c2f and not python:
            good = False
            print(f"  c2f reads what Python refuses: {file!r}")
    print(f"{len(files)} changed files: {counts[2]} read by both, {counts[1]} by one, {counts[0]} by neither")
    return good and counts[2] > 0 and counts[0] > 0


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        return 0 if all([round_trips(folder), from_c2f(folder), refusals(folder)]) else 1


if __name__ == "__main__":
    sys.exit(main())
