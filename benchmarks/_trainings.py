"""Trainings over seeds whose rows are kept in a CSV: a run that is in it is not trained again, so a command may be stopped and repeated."""
import argparse
import concurrent.futures
import csv
import math
import os
import pathlib
import shutil
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


def parser_of(doc, out, variants, seeds="1,2,3", data=None, data_default=None, without_data=()):
    """A parser with the options of every such script. --data may be missing with --table and with the options `without_data`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--data", type=pathlib.Path, default=data_default, help=data,
                        required=data_default is None and not {"--table", *without_data} & set(sys.argv))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(out))
    parser.add_argument("--variants", default=variants, help="default: all" if variants is None else None)
    parser.add_argument("--seeds", default=seeds)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--table", action="store_true", help="train nothing")
    return parser


def built(parser, words, name):
    """The path of a program in the build folder; ends the script if it is not there."""
    program = words.build / name
    if not program.is_file():
        parser.exit(2, f"no program '{program}'; build it, or name the build folder with --build\n")
    return program


def read(path, columns):
    """The rows of the file, without a last one that a stop cut off."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row[columns[-1]] is not None]


def printed(command):
    """Runs a program on one core that prints the rows of a run."""
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)


def timed(command):
    """Runs a command on one core, without its output: a CompletedProcess with what it says on stderr, and its processor seconds."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               env=os.environ | {"OMP_NUM_THREADS": "1"})
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return subprocess.CompletedProcess(command, process.returncode, "", said), used.ru_utime + used.ru_stime


def scored(run, folder, command, values):
    """Runs a training into the folder; its row is the run, its seconds, and the texts of values(), which is called if it succeeded. What a
    run that was cut off left in the folder is removed, since its seconds are not known, unless the command has --resume."""
    if "--resume" not in command:
        shutil.rmtree(folder, ignore_errors=True)
    command = [*command, "--out", folder]
    ended, seconds = timed(command)
    if ended.returncode != 0:
        return subprocess.CompletedProcess(command, ended.returncode, "", ended.stderr[-500:])
    return subprocess.CompletedProcess(command, 0, ",".join([*run, f"{seconds:.1f}", *values()]) + "\n", "")


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
