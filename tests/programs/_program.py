"""What the tests of programs share: pictures made here, and calls that end as expected."""
import os
import pathlib
import struct
import subprocess
import sys
import zlib

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def png(width, height, pixel, colour=2, bits=8):
    """colour: 0 grey, 2 RGB, 3 numbers of a palette, 0 black, 1 red, 2 blue; pixel(x, y) has one number, three, or one. bits: 8, or 16, each
    number as two bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    palette = chunk(b"PLTE", bytes([0, 0, 0, 255, 0, 0, 0, 0, 255])) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)) + palette + \
        chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def nifti(dims, values, kind=16, code="f"):
    """A volume of floats, or of bytes: kind=2, code="B"."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *dims, 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, kind, struct.calcsize(code) * 8)
    struct.pack_into("<8f", head, 76, 1, 1, 1, 1, 0, 0, 0, 0)
    struct.pack_into("<3f", head, 108, 352, 1, 0)
    head[344:348] = b"n+1\0"
    return bytes(head) + struct.pack(f"<{len(values)}{code}", *values)


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def call(program, *words, code=0):
    """What it prints on both streams; ends the test where it exits with another code."""
    ran = subprocess.run([str(program), *map(str, words)], capture_output=True, env=ENVIRONMENT, timeout=280, check=False)
    out, said = ran.stdout.decode(), ran.stderr.decode()
    if ran.returncode != code:
        sys.exit(f"{program.name} {' '.join(map(str, words))}: exit code {ran.returncode}, expected {code}\n{out}{said}")
    return out, said


def require(right, what):
    if not right:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {what}")
