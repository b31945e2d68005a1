#!/usr/bin/env python3
"""Trainings in several processes that exchange over Gloo, compared with one process, killed, and started wrongly.

  processes.py PROGRAM TEST [KILLS]      PROGRAM: tests/dist/processes.cpp; TEST: equal, wrong, kill, launcher or hosts
  processes.py PROGRAM program DATA      PROGRAM: 10_class_vector; DATA: the folder of CIFAR-100

Exit code 0 if all holds, 77 with a sentence "skipped: ..." if this machine lacks what the test needs.
"""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM = sys.argv[1]
WRONG = []


def check(holds, what):
    if not holds:
        WRONG.append(what)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more):
    kept = {name: value for name, value in os.environ.items()
            if not re.match(r"RANK$|WORLD_SIZE$|LOCAL_RANK$|MASTER_|OMPI_|SLURM_|PMIX_|TORCHELASTIC_|GLOO_", name)}
    return {**kept, "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in more.items()}}


def start(words, prefix=(), **variables):
    return subprocess.Popen([*prefix, PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**variables))


def start_all(size, words, port=None, address="127.0.0.1", **variables):
    port = port or free_port()
    return [start(words, RANK=rank, WORLD_SIZE=size, LOCAL_RANK=rank, MASTER_ADDR=address, MASTER_PORT=port, **variables)
            for rank in range(size)]


def end_of(process, seconds=60):
    """(exit code, stdout, stderr); a process that does not end in time is killed and counts as wrong."""
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate()
        WRONG.append(f"a process hung: {errors.strip() or output.strip()[-200:]}")
    # Gloo reports each attempt to connect to a process that has ended.
    return process.returncode, output, "".join(line for line in errors.splitlines(True) if "/gloo/transport/" not in line.split(" ")[0])


def run_all(size, words, **variables):
    """The lines of rank 0, and the hashes of all ranks."""
    ends = [end_of(each) for each in start_all(size, words, **variables)]
    for rank, (code, _, errors) in enumerate(ends):
        check(code == 0 and not errors, f"{words} in {size} processes: rank {rank} ended with {code}: {errors.strip()}")
    hashes = [line.split()[2] for _, output, _ in ends for line in output.splitlines() if line.startswith("rank ")]
    check(len(hashes) == size and len(set(hashes)) == 1, f"{words} in {size} processes: the ranks ended with {len(set(hashes))} models")
    return [line for line in ends[0][1].splitlines() if not line.startswith(("rank ", "begun "))], (hashes or [None])[0]


def tensors_of(file):
    data = file.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    found = {}
    for name, each in header.items():
        if name != "__metadata__" and each["dtype"] == "F32":
            begin, end = each["data_offsets"]
            found[name] = struct.unpack(f"<{(end - begin) // 4}f", data[8 + length + begin:8 + length + end])
    return found


def difference(a, b):
    """The largest difference of two files, relative to the norm of its tensor."""
    a, b = tensors_of(a), tensors_of(b)
    assert a.keys() == b.keys() and a
    norm = lambda values: sum(x * x for x in values) ** 0.5
    return max(norm([x - y for x, y in zip(a[name], b[name])]) / max(norm(a[name]), 1e-6) for name in a)


def scores_of(lines):
    return [line for line in lines if line.startswith(("score ", "faulty ", "skipped ")) and " iou " not in line and " dsc " not in line]


def losses_of(lines):
    """What is a sum of fractions: losses, and overlaps."""
    return {tuple(line.split()[:-1]): float(line.split()[-1]) for line in lines if line.startswith("loss ") or " iou " in line or " dsc " in line}


def equal(where):
    """One process without a world, and 1, 2, 3 and 4 processes: the same training."""
    for kind, more, sizes in (("class_vector", [], (1, 2, 3, 4)), ("class_vector", ["accumulate"], (2,)), ("class_vector", ["nan=21"], (2,)),
                              ("partly", [], (2, 3)), ("partly", ["accumulate"], (2,)), ("boxes", [], (2, 4)), ("masks", [], (1, 2, 4))):
        folder = where / "one"
        folder.mkdir(exist_ok=True)
        code, output, errors = end_of(start(["train", kind, str(folder), "plain", *more]))
        check(code == 0 and not errors, f"{kind} {more} in one process ended with {code}: {errors.strip()}")
        alone = [line for line in output.splitlines() if not line.startswith(("rank ", "begun "))]
        check(len(scores_of(alone)) + len(losses_of(alone)) > 8, f"{kind}: no scores: {output}")
        if "nan=21" in more:
            check("skipped 4" in alone, f"an image that is not a number: {scores_of(alone)[-1]}, and not one step of each epoch")
        for size in sizes:
            other = where / f"several-{size}"
            other.mkdir(exist_ok=True)
            lines, own_hash = run_all(size, ["train", kind, str(other), *more])
            check(scores_of(lines) == scores_of(alone), f"{kind} {more} in {size} processes has other scores than in one: {lines}, {alone}")
            found = difference(folder / "state.safetensors", other / "state.safetensors")
            check(found == 0 if size == 1 else found < 1e-5, f"{kind} {more} in {size} processes: parameters differ by {found:.1e}")
            print(f"{kind} {' '.join(more)} in {size} processes: parameters differ by {found:.1e}")
            a, b = losses_of(alone), losses_of(lines)
            check(a.keys() == b.keys() and all(abs(a[k] - b[k]) <= 1e-5 * abs(a[k]) for k in a), f"{kind} in {size} processes has other losses")
            if size == 2 and not more:
                again, same_hash = run_all(size, ["train", kind, str(other), *more])
                check(again == lines and same_hash == own_hash, f"{kind}: two trainings in two processes have other bytes")
    # Local norms: another training, but the same in all processes.
    run_all(2, ["train", "class_vector", str(where), "local"])
    # What Open MPI and Slurm set.
    for names in (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", dict(OMPI_COMM_WORLD_LOCAL_SIZE=2, PMIX_NAMESPACE=os.getpid())),
                  ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", dict(SLURM_STEP_ID=0, SLURM_JOB_ID=os.getpid(), SLURM_JOB_NODELIST="localhost"))):
        ends = [end_of(each) for each in [start(["train", "class_vector", str(where)], **{names[0]: rank, names[1]: 2, names[2]: rank}, **names[3])
                                          for rank in range(2)]]
        check([code for code, _, _ in ends] == [0, 0] and "score 0" in ends[0][1], f"{names[0]}: {ends}")
    # Gradients in bfloat16, and another optimiser.
    lines, _ = run_all(2, ["train", "boxes", str(where), "bf16", "adam"])
    check("skipped 0" in lines, f"bfloat16: {lines}")


def sentence(ends, part, what, codes=(2,)):
    for rank, (code, _, errors) in enumerate(ends):
        if rank in sentence.but:
            continue
        lines = errors.strip().splitlines()
        check(code in codes and len(lines) == 1 and part in lines[0], f"{what}: rank {rank} ended with {code} and said {errors.strip()!r}")
    sentence.but = ()


sentence.but = ()


def wrong(where):
    """What is started wrongly ends with one sentence, within its timeout."""
    words = ["train", "class_vector", str(where)]
    clock = time.monotonic()
    for kind, part in (("recipe", "the recipe's learning_rate is 0.02 in rank 0 and 0.03 in rank 1"),
                       ("task", "the task is 'tiny-class-vector' in rank 0 and 'tiny-masks' in rank 1"),
                       ("data", "the number of samples of the training data is 39 in rank 0 and 38 in rank 1")):
        sentence([end_of(each) for each in start_all(2, [*words, f"wrong={kind}"])], part, f"another {kind} in rank 1")
    sentence([end_of(each) for each in start_all(3, [*words, "batch=2"])], "a batch of 2 samples cannot be shared by 3 processes", "a small batch")
    short = dict(C2F_JOIN_TIMEOUT=2)
    port = free_port()
    one = dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE=2, **short)
    begin = time.monotonic()
    sentence([end_of(start(words, RANK=0, **one))], "after 2 s these ranks are not there: 1", "a missing peer")
    sentence([end_of(start(words, RANK=1, **one))], f"nothing answered at 127.0.0.1:{port}", "a missing rank 0, or a wrong port")
    check(time.monotonic() - begin < 12, "a missing peer took longer than its timeout")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sentence([end_of(start(words, RANK=0, **{**one, "MASTER_PORT": taken.getsockname()[1]}))], "cannot listen at 127.0.0.1:", "a port in use")
    twice = [start(words, RANK=rank, **{**one, "WORLD_SIZE": 3}) for rank in (0, 1, 1)]
    ends = [end_of(each) for each in twice]
    check(sum("another process has this rank, too" in errors for _, _, errors in ends) == 1, f"a rank that is there twice: {ends}")
    sizes = [start(words, RANK=0, **one), start(words, RANK=1, **{**one, "WORLD_SIZE": 3})]
    ends = [end_of(each) for each in sizes]
    check(any("was started as one of" in errors for _, _, errors in ends), f"two sizes: {ends}")
    check(all(code != 0 for code, _, _ in ends), f"two sizes: {ends}")
    for variables, part in ((dict(RANK=2, WORLD_SIZE=2), "RANK is 2 and WORLD_SIZE is 2"), (dict(RANK=0), "WORLD_SIZE is not set"),
                            (dict(RANK=0, WORLD_SIZE=2), "MASTER_ADDR is not set"),
                            (dict(RANK="x", WORLD_SIZE=2), "RANK is 'x'")):
        sentence([end_of(start(words, **variables))], part, f"{variables}")
    sentence([end_of(start(words, RANK=0, **{**one, "GLOO_SOCKET_IFNAME": "nowhere0"}))], "there is no network interface 'nowhere0'", "no interface")
    sentence([end_of(start(words, RANK=0, **{**one, "MASTER_ADDR": "no.such.host.invalid"}))], "is unknown here", "no host")
    print(f"sentences: {time.monotonic() - clock:.0f} s")


def listeners_of(pid):
    """The local addresses at which a process listens."""
    inodes = set()
    for each in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink(each))
        except OSError:
            continue
        if found:
            inodes.add(found[1])
    addresses = set()
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                addresses.add(fields[1].split(":")[0])
    return addresses


def newest_of(folder):
    return max((each.name for each in folder.iterdir() if re.fullmatch(r"epoch-\d{5}-step-\d{7}", each.name)), default=None) if folder.is_dir() else None


def kill(where, kills):
    """A rank is killed at random moments: the others end by themselves, and the training that is started again has the bytes of one that was
    not disturbed."""
    words = lambda folder: ["train", "class_vector", str(folder), "every=1", "epochs=8", "deterministic", "slow=1"]
    clock = time.monotonic()
    _, whole = run_all(2, words(where / "whole"))
    alone = time.monotonic() - clock
    draw, folder, done, complete, slowest = random.Random(1), where / "killed", 0, 0, 0.0
    while done < kills:
        all_ = start_all(2, words(folder), C2F_TIMEOUT=20, C2F_JOIN_TIMEOUT=20)
        before = newest_of(folder)
        if draw.random() < 0.8:
            all_[0].stdout.readline()                        # "begun", or the end of a training that is complete
        if done == 0:
            for each in all_:
                check(listeners_of(each.pid) <= {"0100007F"}, f"a process listens at {listeners_of(each.pid)}")
            check(any(listeners_of(each.pid) for each in all_), "no process listens anywhere")
        time.sleep(draw.uniform(0, max(0.3, alone / 3)))
        victim = draw.randrange(2)
        all_[victim].kill()
        killed = time.monotonic()
        other = end_of(all_[1 - victim], 30)
        slowest = max(slowest, time.monotonic() - killed)
        own = end_of(all_[victim])
        if own[0] == -signal.SIGKILL:
            done += 1
        if newest_of(folder) is not None and before is not None:
            check(newest_of(folder) >= before, f"{before} was lost")
        if other[0] == 0:
            complete += 1
        else:
            lines = other[2].strip().splitlines()
            check(other[0] in (1, 2) and len(lines) == 1, f"the other rank ended with {other[0]} and said {other[2].strip()!r}")
        last = [line.split()[2] for _, output, _ in (own, other) for line in output.splitlines() if line.startswith("rank ")]
        check(all(each == whole for each in last), "a training that was killed ended with other bytes")
        if last:
            shutil.rmtree(folder)
    if newest_of(folder):
        _, last = run_all(2, words(folder))
        check(last == whole, "a training that was killed ended with other bytes")
        # It goes on with another number of processes, or with one.
    for size in (1, 3):
        moved = where / f"moved-{size}"
        all_ = start_all(2, words(moved))
        all_[0].stdout.readline()
        time.sleep(0.3)
        for each in all_:
            each.send_signal(signal.SIGTERM)
        ends = [end_of(each) for each in all_]
        check([code for code, _, _ in ends] == [0, 0] and "stopped" in ends[0][1], f"SIGTERM: {ends}")
        check(newest_of(moved) is not None, "SIGTERM left no checkpoint")
        run_all(size, words(moved))
    print(f"{done} kills, {complete} trainings that had ended; the other rank ended after at most {slowest:.1f} s; {time.monotonic() - clock:.0f} s")


def torchrun():
    found = shutil.which("torchrun") or str(pathlib.Path(sys.executable).with_name("torchrun"))
    return found if os.access(found, os.X_OK) else None


def children_of(pid):
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()
    return [int(each) for each in found]


def launcher(where):
    """torchrun: it starts again what is killed; SIGTERM to it ends everything with a checkpoint."""
    if torchrun() is None:
        print("skipped: there is no torchrun here")
        sys.exit(77)
    words = lambda folder: ["train", "class_vector", str(folder), "every=1", "epochs=8", "deterministic", "slow=4"]
    begin = lambda folder, *options: subprocess.Popen(
        [torchrun(), "--no-python", "--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port", str(free_port()), *options, PROGRAM, *words(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(C2F_TIMEOUT=20))

    def workers_of(agent, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until and agent.poll() is None:
            found = [pid for pid in children_of(agent.pid) if pathlib.Path(f"/proc/{pid}/exe").resolve() == pathlib.Path(PROGRAM).resolve()]
            if len(found) == 2:
                return found
            time.sleep(0.05)
        return []

    _, whole = run_all(2, words(where / "whole"))
    agent = begin(where / "killed", "--max-restarts", "2")
    for _ in range(2):
        workers = workers_of(agent)
        check(len(workers) == 2, "torchrun started no two processes")
        newest = newest_of(where / "killed")
        until = time.monotonic() + 30
        while newest_of(where / "killed") == newest and time.monotonic() < until:
            time.sleep(0.02)
        if workers:
            os.kill(workers[random.randrange(2)], signal.SIGKILL)
        while any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < until:
            time.sleep(0.02)
    code, output, errors = end_of(agent, 90)
    hashes = {line.split()[2] for line in output.splitlines() if line.startswith("rank ")}
    check(code == 0 and hashes == {whole}, f"killed under torchrun: {code}, {hashes}, {whole}: {errors[-500:]}")

    agent = begin(where / "stopped", "--standalone")
    workers = workers_of(agent)
    until = time.monotonic() + 30
    while newest_of(where / "stopped") is None and time.monotonic() < until:
        time.sleep(0.05)
    stopped = time.monotonic()
    agent.send_signal(signal.SIGTERM)
    end_of(agent, 35)
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < stopped + 35:
        time.sleep(0.05)
    seconds = time.monotonic() - stopped
    check(seconds < 30 and len(workers) == 2, f"after SIGTERM to torchrun processes were there for {seconds:.0f} s")
    check(newest_of(where / "stopped") is not None, "SIGTERM to torchrun left no checkpoint")
    _, last = run_all(2, words(where / "stopped"))
    check(last == whole, "a training that was stopped by SIGTERM ended with other bytes")
    print(f"SIGTERM to torchrun: all processes were gone after {seconds:.1f} s")


def hosts(where):
    """Two network namespaces, a rank in each; the link is cut in the middle of the training."""
    names = [f"c2f{os.getpid()}{end}" for end in "ab"]
    ip = lambda *words: subprocess.run(["ip", *words], check=True, capture_output=True)
    try:
        ip("netns", "add", names[0])
    except (OSError, subprocess.CalledProcessError):
        print("skipped: this test may not make network namespaces")
        sys.exit(77)
    try:
        ip("netns", "add", names[1])
        ip("link", "add", names[0], "netns", names[0], "type", "veth", "peer", "name", names[1], "netns", names[1])
        for index, name in enumerate(names):
            ip("-n", name, "address", "add", f"10.213.7.{index + 1}/24", "dev", name)
            ip("-n", name, "link", "set", name, "up")
            ip("-n", name, "link", "set", "lo", "up")

        def begin(folder, **variables):
            return [start(["train", "class_vector", str(folder), "every=1", "epochs=8", "deterministic", "slow=4"], ("ip", "netns", "exec", name),
                          RANK=rank, WORLD_SIZE=2, LOCAL_RANK=0, MASTER_ADDR="10.213.7.1", MASTER_PORT=29500, **variables)
                    for rank, name in enumerate(names)]

        ends = [end_of(each) for each in begin(where / "whole")]
        check([code for code, _, _ in ends] == [0, 0], f"two hosts: {ends}")
        whole = {line.split()[2] for _, output, _ in ends for line in output.splitlines() if line.startswith("rank ")}
        all_ = begin(where / "cut", C2F_TIMEOUT=3)
        all_[0].stdout.readline()
        for each, address in zip(all_, ("0107D50A", "0207D50A")):
            check(listeners_of(each.pid) <= {address}, f"a process listens at {listeners_of(each.pid)}")
        while newest_of(where / "cut") is None and all_[0].poll() is None:
            time.sleep(0.02)
        ip("-n", names[1], "link", "set", names[1], "down")
        clock = time.monotonic()
        ends = [end_of(each, 30) for each in all_]
        seconds = time.monotonic() - clock
        sentence(ends, "another process", "a link that was cut", codes=(1,))
        ip("-n", names[1], "link", "set", names[1], "up")
        before = newest_of(where / "cut")
        check(before is not None, "a link that was cut left no checkpoint")
        ends = [end_of(each) for each in begin(where / "cut")]
        last = {line.split()[2] for _, output, _ in ends for line in output.splitlines() if line.startswith("rank ")}
        check([code for code, _, _ in ends] == [0, 0] and last == whole and len(whole) == 1, f"after the cut: {ends}")
        check("begun 0" not in ends[0][1], "the training began anew after the cut")
        print(f"both ends said a sentence {seconds:.1f} s after the link was cut; resumed from {before}")
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def program(where):
    """An example program under torchrun: the report of one process, and a training that one process began and two finish."""
    data = pathlib.Path(sys.argv[3])
    if torchrun() is None or not (data / "train.bin").is_file():
        print("skipped: there is no torchrun, or no CIFAR-100, here")
        sys.exit(77)
    words = lambda out, epochs: ["--data", str(data), "--depth", "8", "--limit", "400", "--batch", "40", "--learning-rate", "0.01",
                                 "--epochs", str(epochs), "--out", str(out), "--resume"]
    code, output, errors = end_of(start(words(where / "one", 1)), 300)
    check(code == 0, f"one process ended with {code}: {errors}")
    agent = subprocess.Popen([torchrun(), "--no-python", "--nproc-per-node", "2", PROGRAM, *words(where / "two", 1)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, env=environment())
    code, two, errors = end_of(agent, 300)
    check(code == 0, f"torchrun ended with {code}: {errors}")
    check(len(two.splitlines()) == len(output.splitlines()) == 1, f"two processes printed {two!r}, one {output!r}")
    a, b = (json.loads((where / name / "summary.json").read_text()) for name in ("one", "two"))
    # Two trainings differ by rounding, and so may the answers to a few of the 10,000 test images.
    off = max(abs(value - b["scores"][stage][name]) for stage, values in a["scores"].items() for name, value in values.items())
    check(off <= 0.0015 and a["samples"] == b["samples"] == 400, f"two processes scored {b['scores']}, one {a['scores']}")
    check(all(abs(value - b["loss"][name]) < 1e-4 * value for name, value in a["loss"].items()), f"two processes lost {b['loss']}, one {a['loss']}")
    check({each.name for each in (where / "one").iterdir()} == {each.name for each in (where / "two").iterdir()}, "other files were written")
    print(f"fine top1 after one epoch: {a['scores']['fine']['top1']} in one process, {b['scores']['fine']['top1']} in two; at most {10000 * off:.0f} of 10,000 differ")
    refused = [end_of(each)[2] for each in start_all(2, ["--data", str(where), "--out", str(where / "refused")])]
    check(all("rank" in each for each in refused), f"sentences without ranks: {refused}")
    check(not (where / "refused").exists(), "a command that is refused left files")


def main():
    with tempfile.TemporaryDirectory(prefix="c2f_dist_") as where:
        where = pathlib.Path(where)
        test = sys.argv[2]
        clock = time.monotonic()
        if test == "kill":
            kill(where, int(sys.argv[3]) if len(sys.argv) > 3 else 50)
        else:
            {"equal": equal, "wrong": wrong, "launcher": launcher, "hosts": hosts, "program": program}[test](where)
        print(f"{test}: {len(WRONG)} wrong; {time.monotonic() - clock:.0f} s")
    for line in WRONG[:20]:
        print(line)
    sys.exit(1 if WRONG else 0)


if __name__ == "__main__":
    main()
