#!/usr/bin/env python3
"""Kills a training at random moments, checks the files that it leaves, and resumes it.

  kill.py PROGRAM [KILLS [EPOCHS [SEED]]]     PROGRAM is tiny_training; 50 kills, 8 epochs of 5 steps, seed 1

After every SIGKILL each complete checkpoint must have the files that its SHA256SUMS lists, with these digests (verified without c2f). Once
there is a checkpoint there must always be one, and the program must resume from the newest. A training that reaches its end must have the
same bytes as an uninterrupted one; then the next one begins. Exit code 0 if all of that holds.
"""
import hashlib
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time


def faults_of(folder, needed=("model.safetensors", "average.safetensors", "training.safetensors", "state.json")):
    """The faults of a checkpoint."""
    wrong = []
    listed = {}
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        listed[name] = digest
    for name in needed:
        if name not in listed:
            wrong.append(f"{folder.name}: {name} is not listed")
    for name, digest in listed.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            wrong.append(f"{folder.name}/{name} has another digest")
    if sorted(each.name for each in folder.iterdir()) != sorted([*listed, "SHA256SUMS"]):
        wrong.append(f"{folder.name} holds other files than it lists")
    return wrong


def newest_of(folder):
    return max((each.name for each in folder.iterdir() if re.fullmatch(r"epoch-\d{5}-step-\d{7}", each.name)), default=None)


def start(program, folder, epochs, *more):
    return subprocess.Popen([program, folder, str(epochs), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed_after(process, seconds):
    """What a process printed, and what on stderr; killed if it still runs after these seconds."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.communicate()


def fault_of_end(output, whole):
    """A list with what is wrong with the last line of a training that was killed before; empty if it is that of an uninterrupted one."""
    last = output.strip().splitlines()[-1] if output.strip() else ""
    return [] if last == whole else [f"a training that was killed ended in '{last}', uninterrupted in '{whole}'"]


def end_of(process):
    output, errors = process.communicate()
    if process.returncode != 0:
        return f"ended with {process.returncode}: {errors.strip()}"
    if errors:
        return f"stderr: {errors.strip()}"
    return output.strip().splitlines()[-1]


def main():
    program = sys.argv[1]
    kills, epochs, seed = (int(word) for word in (sys.argv[2:] + ["50", "8", "1"][len(sys.argv) - 2:]))
    draw = random.Random(seed)
    wrong, done, trainings, unfinished = [], 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="c2f_kill_") as where:
        where = pathlib.Path(where)
        clock = time.monotonic()
        whole = end_of(start(program, str(where / "whole"), epochs))
        alone = time.monotonic() - clock
        if not whole.startswith("end "):
            sys.exit(f"the uninterrupted training {whole}")
        folder = where / "killed"
        while done < kills:
            process = start(program, str(folder), epochs)
            before = newest_of(folder) if folder.is_dir() else None
            if draw.random() < 0.8:                          # else it may be killed before it has begun
                first = process.stdout.readline().split()
                if before and first[:1] == ["begun"]:
                    epoch, step = (int(n) for n in re.findall(r"\d+", before))
                    if int(first[1]) != 5 * epoch + step:
                        wrong.append(f"resumed at step {first[1]}, but the newest checkpoint was {before}")
            output, errors = killed_after(process, draw.uniform(0, min(1.0, alone / 4)))
            if process.returncode == -signal.SIGKILL:
                done += 1
            elif process.returncode != 0:
                wrong.append(f"ended with {process.returncode}: {errors.strip()}")
                break
            if errors:
                wrong.append(f"stderr: {errors.strip()}")
            if folder.is_dir():
                names = sorted(each.name for each in folder.iterdir())
                unfinished += any(name.endswith(".part") for name in names)
                whole_ones = [name for name in names if not name.endswith(".part")]
                for name in whole_ones:
                    wrong += faults_of(folder / name)
                if before and not whole_ones:
                    wrong.append("no checkpoint was left")
                if before and newest_of(folder) < before:
                    wrong.append(f"{before} was lost")
            if process.returncode == 0:
                wrong += fault_of_end(output, whole)
                trainings += 1
                shutil.rmtree(folder)
        if folder.is_dir():                                  # the last one, without kills
            wrong += fault_of_end(end_of(start(program, str(folder), epochs)), whole)
            trainings += 1
        print(f"{done} kills, {unfinished} of them during a save; {trainings} complete trainings, {alone:.1f} s each if uninterrupted; "
              f"{len(wrong)} wrong; {time.monotonic() - clock:.0f} s")
    for line in wrong[:20]:
        print(line)
    sys.exit(1 if wrong or trainings == 0 else 0)


if __name__ == "__main__":
    main()
