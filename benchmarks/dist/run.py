#!/usr/bin/env python3
"""What a training in several processes costs: 'run.py PROGRAM one|hidden|sums', where PROGRAM is bench_dist.

  one      a world of one process against none, in alternation, in seconds of the processor, which other load of the machine disturbs less;
           wanted: at most 3 % over none
  hidden   two processes with one thread each: the part of the sums of gradients that the backward pass hides; wanted: at least 60 %
  sums     the lines "PROCESSES MIB SECONDS" that model.py --check reads: sums over Gloo in 2 and 4 processes, in alternation
"""
import argparse
import os
import socket
import statistics
import subprocess
import sys


def start(program, words, **variables):
    return subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1", **{k: str(v) for k, v in variables.items()}})


def lines_of(program, size, words):
    """The lines of rank 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if size == 1:
        all_ = [start(program, words)]
    else:
        all_ = [start(program, words, RANK=rank, WORLD_SIZE=size, LOCAL_RANK=rank, MASTER_ADDR="127.0.0.1", MASTER_PORT=port) for rank in range(size)]
    outputs = [each.communicate()[0] for each in all_]
    if any(each.returncode for each in all_):
        sys.exit(f"{program} {' '.join(words)} failed")
    return outputs[0].splitlines()


def step_of(lines, column=1):
    return statistics.median(float(line.split()[column]) for line in lines if line.startswith("step "))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("what", choices=["one", "hidden", "sums"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", default="64")
    words = parser.parse_args()
    if words.what == "one":
        ratios, seconds = [], []
        for i in range(words.rounds):
            kinds = ["plain", "world"] if i % 2 == 0 else ["world", "plain"]
            found = {kind: step_of(lines_of(words.program, 1, ["step", kind, str(words.steps), words.batch]), 2) for kind in kinds}
            ratios.append(found["world"] / found["plain"])
            seconds.append(found)
        print(f"a step without a world takes {1000 * statistics.median(s['plain'] for s in seconds):.1f} ms of a processor, in a world of one "
              f"{1000 * statistics.median(s['world'] for s in seconds):.1f} ms; median of the ratios of {words.rounds} rounds "
              f"{statistics.median(ratios):.3f} ({min(ratios):.3f} ... {max(ratios):.3f}); wanted: at most 1.03")
    elif words.what == "hidden":
        rows = []
        for _ in range(words.rounds):
            lines = lines_of(words.program, 2, ["step", "several", str(words.steps), words.batch])
            rows.append([step_of(lines), *(float(word) for line in lines if line.startswith("sums ") for word in line.split()[1:])])
        step, running, waited, hidden = (statistics.median(column) for column in zip(*rows))
        print(f"two processes: a step {1000 * step:.1f} ms; sums on their way {1000 * running:.1f} ms, waited for {1000 * waited:.1f} ms; hidden "
              f"{100 * hidden:.0f} % (median of {words.rounds} runs, {100 * min(r[3] for r in rows):.0f} ... {100 * max(r[3] for r in rows):.0f} %); "
              "wanted: at least 60 %")
    else:
        for _ in range(words.rounds):
            for size in (2, 4):
                for line in lines_of(words.program, size, ["sum", "30", "1", "2", "4", "8", "16"]):
                    _, mib, seconds = line.split()
                    print(size, mib, seconds, flush=True)


if __name__ == "__main__":
    main()
