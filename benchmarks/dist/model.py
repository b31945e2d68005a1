#!/usr/bin/env python3
"""Time of a training step against the number of GPUs, on paper; and the same formula against sums that were measured.

  model.py                        the table of docs/distributed.md: ResNet-50 coarse to fine at 224x224, 8 to 1,024 GPUs
  model.py --check FILE           FILE: the lines of 'run.py sums', "PROCESSES MIB SECONDS"; exit code 1 if a prediction is off by over 20 %

A sum of n bytes over p processes takes, with latency a and bandwidth b of a link:
  ring   2 (p - 1) a + 2 (p - 1) / p n / b        (each process sends and receives every byte twice)
  tree   2 log2(p) a + 2 n / b                    (a reduction up and a broadcast down, pipelined)
On machines of 8 GPUs: a ring inside (NVLink), then ring or tree between the machines (network), each of whose 8 links carries an eighth.
Buckets of the gradient begin while backward runs, one after the other; the step waits for what is left at its end.

Gloo on one machine has no link: its rings copy and add in the processors. With k processors every byte of 2 (p - 1) / p n per process costs
c seconds of one of them, so   2 (p - 1) a + 2 (p - 1) n c / min(p, k).   a and c are fitted to two processes; for more they predict. The fastest
of many sums counts. Small sums in more processes than processors wait for the system's scheduler, which has no term here: the check begins at
2 MiB.
"""
import argparse
import math
import os
import sys

# ---- assumptions of the table: replace them by those of your machines ----
PARAMETERS = 2 * 25.6e6 + 1.1e6           # two ResNet-50 with 1,000 classes, g, and the wider first layer
BYTES = 2                                 # a gradient in bfloat16
BUCKET = 4 << 20
COMPUTE = 2 * 64 / 2470                   # s a step of 64 images a GPU: two ResNet-50 at the 2,470 images/s of one on an A100 (NVIDIA, AMP)
BACKWARD = 2 / 3                          # of COMPUTE
NVLINK = (5e-6, 300e9)                    # latency in s, bytes/s for a process inside a machine
NETWORK = (15e-6, 40e9)                   # between machines: 400 Gbit/s a GPU, 80 % of it used


def ring(p, n, link):
    return 2 * (p - 1) * link[0] + 2 * (p - 1) / p * n / link[1] if p > 1 else 0.0


def tree(p, n, link):
    return 2 * math.log2(p) * link[0] + 2 * n / link[1] if p > 1 else 0.0


def bucket_sum(gpus, n, between):
    inside = min(gpus, 8)
    return ring(inside, n, NVLINK) + between(gpus / inside, n / inside, NETWORK)


def step(gpus, between):
    """(seconds of a step, seconds of its sums, seconds that are not hidden)"""
    total = PARAMETERS * BYTES
    count = math.ceil(total / BUCKET)
    backward, forward = COMPUTE * BACKWARD, COMPUTE * (1 - BACKWARD)
    ended = busy = 0.0
    for i in range(count):
        ready = backward * (i + 1) / count                   # parameters are reached evenly
        each = bucket_sum(gpus, total / count, between)
        ended = max(ended, ready) + each
        busy += each
    return forward + max(ended, backward), busy, max(0.0, ended - backward)


def table():
    total = PARAMETERS * BYTES
    print(f"{PARAMETERS / 1e6:.1f} M parameters, {total / 1e6:.0f} MB of gradients in {math.ceil(total / BUCKET)} buckets; "
          f"{1000 * COMPUTE:.0f} ms of computing per step\n")
    print("| GPUs | ring: step, ms | all-reduce, ms | exposed, ms | efficiency | tree: step, ms | all-reduce, ms | exposed, ms | efficiency |")
    print("|---:|" + "---:|" * 8)
    for gpus in (8, 16, 32, 64, 128, 256, 512, 1024):
        cells = []
        for between in (ring, tree):
            seconds, busy, left = step(gpus, between)
            cells += [f"{1000 * seconds:.1f}", f"{1000 * busy:.1f}", f"{1000 * left:.1f}", f"{100 * COMPUTE / seconds:.0f} %"]
        print(f"| {gpus} | " + " | ".join(cells) + " |")


def check(lines, processors):
    """Fits a and c to the sums of two processes, and predicts those of more."""
    measured = {}
    for line in lines:
        words = line.split()
        if len(words) == 3:
            measured.setdefault((int(words[0]), float(words[1])), []).append(float(words[2]))
    found = {key: min(values) for key, values in measured.items()}  # other load of the machine only adds
    work = lambda p, n: 2 * (p - 1) * n * 2 ** 20 / min(p, processors)
    # Least squares of the relative differences: 2 a / t + work c / t = 1.
    rows = [(2 / t, work(p, n) / t) for (p, n), t in found.items() if p == 2]
    xx, xy, yy = (sum(r[i] * r[j] for r in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
    x, y = sum(r[0] for r in rows), sum(r[1] for r in rows)
    a, c = (x * yy - y * xy) / (xx * yy - xy * xy), (y * xx - x * xy) / (xx * yy - xy * xy)
    print(f"latency {1e6 * a:.0f} us, {1e9 * c:.3f} ns a byte ({1 / c / 1e9:.2f} GB/s a processor)\n")
    print("| processes | MiB | measured, ms | formula, ms | difference | |\n|---:|---:|---:|---:|---:|---|")
    wrong = 0
    for (p, n), seconds in sorted(found.items()):
        formula = 2 * (p - 1) * a + work(p, n) * c
        wrong += n >= 2 and abs(formula / seconds - 1) > 0.2
        print(f"| {p} | {n:g} | {1000 * seconds:.2f} | {1000 * formula:.2f} | {100 * (formula / seconds - 1):+.0f} % | {'fitted' if p == 2 else 'predicted'} |")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="FILE")
    parser.add_argument("--processors", type=int, default=os.cpu_count())
    words = parser.parse_args()
    if words.check:
        with open(words.check, encoding="utf-8") as file:
            sys.exit(1 if check(file, words.processors) else 0)
    table()


if __name__ == "__main__":
    main()
