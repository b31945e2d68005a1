#!/usr/bin/env python3
"""Kills a training in stages, with surgeries in between, at random moments, checks the files that it leaves, and resumes it.

  kill_rejuvenation.py PROGRAM [KILLS [EPOCHS [SEED]]]     PROGRAM is tiny_training; 50 kills, sparse stages of up to 3 epochs, seed 1

After every SIGKILL each complete checkpoint of each stage must have the files that its SHA256SUMS lists, with these digests. A training that
reaches its end must have the same bytes as an uninterrupted one; then the next one begins. Exit code 0 if all of that holds.
"""
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from kill import end_of, fault_of_end, faults_of, killed_after, start


def main():
    program = sys.argv[1]
    kills, epochs, seed = (int(word) for word in (sys.argv[2:] + ["50", "3", "1"][len(sys.argv) - 2:]))
    draw = random.Random(seed)
    wrong, done, trainings, stages = [], 0, 0, {}
    with tempfile.TemporaryDirectory(prefix="c2f_kill_") as where:
        where = pathlib.Path(where)
        clock = time.monotonic()
        whole = end_of(start(program, str(where / "whole"), epochs, "rejuvenation"))
        alone = time.monotonic() - clock
        if not whole.startswith("end "):
            sys.exit(f"the uninterrupted training {whole}")
        folder = where / "killed"
        while done < kills and not wrong:
            process = start(program, str(folder), epochs, "rejuvenation")
            if draw.random() < 0.8:                          # else it may be killed before it has begun
                process.stdout.readline()
            output, errors = killed_after(process, draw.uniform(0, min(1.0, alone / 3)))
            done += process.returncode == -signal.SIGKILL
            if process.returncode not in (0, -signal.SIGKILL) or errors:
                wrong.append(f"ended with {process.returncode}: {errors.strip()}")
            kept = sorted(folder.glob("*/epoch-*")) if folder.is_dir() else []
            for checkpoint in kept:
                if not checkpoint.name.endswith(".part"):
                    wrong += faults_of(checkpoint, ("model.safetensors", "training.safetensors", "state.json"))
            newest = max((each.parent.name for each in kept), key=lambda name: (name == "rejuvenated", name), default="none")
            stages[newest] = stages.get(newest, 0) + 1
            if process.returncode == 0:
                wrong += fault_of_end(output, whole)
                trainings += 1
                shutil.rmtree(folder)
        if folder.is_dir() and not wrong:                    # the last one, without kills
            wrong += fault_of_end(end_of(start(program, str(folder), epochs, "rejuvenation")), whole)
            trainings += 1
        print(f"{done} kills, in {', '.join(f'{name} {count}' for name, count in sorted(stages.items()))}; {trainings} complete trainings, "
              f"{alone:.1f} s each if uninterrupted; {len(wrong)} wrong; {time.monotonic() - clock:.0f} s")
    for line in wrong[:20]:
        print(line)
    sys.exit(1 if wrong or trainings == 0 else 0)


if __name__ == "__main__":
    main()
