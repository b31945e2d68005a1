"""What the tests of programs share: pictures made here, and calls that end as expected."""
import os
import pathlib
import struct
import subprocess
import sys
import zlib

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def png(width, height, pixel, colour=2):
    """colour: 0 grey, 2 RGB, 3 numbers of a palette, 0 black, 1 red, 2 blue; pixel(x, y) has one number, three, or one."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + b"".join(bytes(pixel(x, y)) for x in range(width)) for y in range(height))
    palette = chunk(b"PLTE", bytes([0, 0, 0, 255, 0, 0, 0, 0, 255])) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)) + palette + \
        chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


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
