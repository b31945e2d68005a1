"""Trainings over seeds whose rows are kept in a CSV: a run that is in it is not trained again, so a command may be stopped and repeated."""
import concurrent.futures
import csv
import math
import os
import subprocess
import sys
import threading

# Two-sided 97.5 % quantiles of Student's t for 1 to 9 degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def interval(values):
    """Mean and half of the 95 % interval; the half is nan for a single value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))
    return mean, STUDENT[min(len(values) - 1, len(STUDENT)) - 1] * deviation / math.sqrt(len(values))


def shown(values):
    """Mean and half of the interval, for a table."""
    if not values:
        return "–"
    mean, half = interval(values)
    return f"{mean:.1f}" if math.isnan(half) else f"{mean:.1f} ± {half:.1f}"


def read(path, columns):
    """The rows of the file, without a last one that a stop cut off."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row[columns[-1]] is not None]


def timed(command):
    """Runs a command on one core, without its output: a CompletedProcess with what it says on stderr, and its processor seconds."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"OMP_NUM_THREADS": "1"})
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return subprocess.CompletedProcess(command, process.returncode, "", said), used.ru_utime + used.ru_stime


def train_all(runs, train, path, columns, keys, jobs):
    """Trains the runs that are not in the file yet, side by side, and appends what each prints as soon as it is there. A run is a tuple of
    text: the values of the columns `keys` of its rows. train(run): a CompletedProcess whose output is the run's rows. Returns whether all
    succeeded; those that failed are named on stderr."""
    done = {tuple(row[key] for key in keys) for row in read(path, columns)}
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        path.write_text(",".join(columns) + "\n", encoding="utf-8")
    lock, failed = threading.Lock(), []

    def one(run):
        found = train(run)
        with lock:
            if found.returncode != 0:
                failed.append(run)
                print(*run, "failed:", found.stderr.strip(), file=sys.stderr)
                return
            with path.open("a", encoding="utf-8") as file:
                file.write(found.stdout)
            print(found.stdout.strip(), file=sys.stderr, flush=True)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, (run for run in runs if run not in done)))
    return not failed
