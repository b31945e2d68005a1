"""Steps on a GPU: c2f, the two networks alone, and PyTorch in Python; './run bench gpu'.

Contenders are processes that stay alive and alternate, A B C A B C ..., so that other load on the machine affects all of them alike; a
ratio is the median, over the rounds, of the ratio within a round. Contenders that need minutes to warm up (torch.compile) are started first
and in parallel, and nothing is measured before the last of them is ready or abandoned. A contender that does not fit on the device with the
others is measured afterwards, alternating with the first contender alone.

--budget limits the time: the cases of --complete come first and with every contender, the others with fewer, and the report lists what was
left out. The results are written after every case, so that a run that is stopped leaves what it has measured.
"""
import argparse
import contextlib
import importlib.metadata
import json
import os
import queue
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from _plot import bars
from _report import ROOT, conditions, output_of, print_conditions, print_table, print_targets, save

TITLES = {
    "resnet20": "CIFAR-100, ResNet-20, batch 128",
    "resnet18": "224x224, 1,000 classes, ResNet-18, batch 256",
    "fcn8s": "FCN-8s, 512x512, one mask, batch 1",
    "resnet56": "CIFAR-100, ResNet-56, batch 128",
    "resnet110": "CIFAR-100, ResNet-110, batch 128",
    "resnet50": "224x224, 1,000 classes, ResNet-50, batch 256",
    "localiser": "localiser on ResNet-50, 192x192, batch 32",
}
NAMES = {
    "graph": "c2f, one graph",
    "in_turn": "c2f, one graph, without PDL",  # programmatic dependent launch
    "fed": "c2f, one graph, from a loader",
    "c2f_eager": "c2f, eager ATen",
    "pair": "c2f, the two networks alone",
    "eager": "Python, float32",
    "eager_bf16": "Python, bf16",
    "compile": "torch.compile",
    "max_autotune": "torch.compile, max-autotune",
}
CLASS_VECTORS = ("resnet20", "resnet56", "resnet110", "resnet18", "resnet50")
LARGE = ("resnet18", "resnet50")  # g on the tiled image needs tens of gigabytes here
ONE_BY_ONE = ("resnet50",)  # 45 GB a contender: two at a time
SLOW = ("compile", "max_autotune")

# case, peer (with the compact g), limit: the factor by which c2f must be faster
TARGETS = [(case, "eager_bf16", 3.0) for case in ("resnet20", "resnet56", "resnet110")]
TARGETS += [(case, "max_autotune", 1.15) for case in ("resnet20", "resnet56", "resnet110")]
TARGETS += [(case, peer, 1.0) for case in ("resnet18", "resnet50") for peer in SLOW]
TARGETS += [("fcn8s", peer, 1.5) for peer in ("eager", "eager_bf16")]
PAIR_LIMIT = {"resnet18": 1.03, "resnet50": 1.03}
FED_LIMIT = 0.95  # of the steps per second on a batch that is on the device

# Kernels by purpose: patterns of their names; the first match counts.
PARTS = [
    ("c2f's own", r"c2f::"),
    ("optimiser", r"multi_tensor_apply|[Ff]used_?[Ss]gd|FusedSgd"),
    ("fused by Triton", r"^triton_(?!tem)"),
    ("copies", r"^Mem(cpy|set)|copy_kernel|direct_copy|CatArray|cat_|FillFunctor|nchwToNhwc|nhwcToNchw|nhwcAddPadding|transpose|[Cc]onvertTensor"),
    ("pools", r"pool"),
    ("norms", r"batch_?norm|bn_(fw|bw)|BatchNorm|native_batch_norm"),
    ("convolutions, products", r"conv|dgrad|wgrad|fprop|gemm|gemv|xmma|cutlass|cudnn|nvjet|splitK|triton_tem"),
    ("losses, softmax", r"[Ss]oftmax|nll_loss|cross_entropy|log_sigmoid"),
    ("element by element", r"elementwise|vectorized|unrolled"),
    ("sums", r"reduce"),
]
LAUNCH = re.compile(r"^cu(da)?(Launch(Kernel|Cooperative)|GraphLaunch|Mem(cpy|set))")


class Lost(Exception):
    """A contender that failed to start, ended early or took too long."""


class Contender:
    def __init__(self, case, kind, encoder, arguments):
        self.kind, self.encoder = kind, encoder
        self.apart = False
        self.name = NAMES[kind] + (f", g {encoder}" if encoder and case in CLASS_VECTORS else "")
        self.key = f"{kind} {encoder}" if encoder and case in CLASS_VECTORS else kind
        self.rounds, self.base, self.peak, self.look, self.warm = [], [], 0.0, None, None
        more = ["--device", arguments.device] + (["--tiny"] if arguments.tiny else [])
        if encoder is None:
            program = os.path.join(arguments.build, "benchmarks", "bench_gpu")
            command = [program, case, {"c2f_eager": "eager"}.get(kind, kind), *more]
        else:
            command = [sys.executable, os.path.join(HERE, "..", "peers", "gpu.py"), case, kind, encoder, *more]
        self.log = open(os.path.join(arguments.logs, f"{case}-{self.key.replace(' ', '-')}.log"), "wb")
        # A few threads per compilation, since several run in parallel; CUPTI's settings for graphs (torch/profiler).
        environment = {"TORCHINDUCTOR_COMPILE_THREADS": "4", "TEARDOWN_CUPTI": "0", "DISABLE_CUPTI_LAZY_REINIT": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self.process = subprocess.Popen(command, env=environment | os.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                            text=True, start_new_session=True)
        except OSError as wrong:
            raise Lost(f"{program if encoder is None else sys.executable}: {wrong.strerror}") from None
        self.lines, self.warming = queue.Queue(), False
        if kind in SLOW:
            self.warm_up()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def response(self, seconds):
        try:
            line = self.lines.get(timeout=max(seconds, 0.1))
        except queue.Empty:
            raise Lost("no response in time") from None
        if not line:
            code = self.process.wait()
            raise Lost(f"ended with exit code {code}: {self.last_words()}")
        return line

    def last_words(self):
        with open(self.log.name, errors="replace") as log:
            lines = [line.strip() for line in log if line.strip()]
        errors = [line for line in lines if re.search(r"Error|bench_gpu:|refused|out of memory", line)]
        return (errors or lines or ["nothing was said"])[-1][:300]

    def ask(self, what, count, seconds):
        self.say(f"{what} {count}\n")
        return self.response(seconds)

    def say(self, line):
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended; response() reports it

    def warm_up(self):
        self.say("warm\n")
        self.warming = True

    def wait_until_ready(self, seconds):
        """Starts the warm-up where it has not begun: one contender after the other, so that they choose their algorithms undisturbed."""
        until = time.monotonic() + seconds
        self.response(seconds)
        if not self.warming:
            self.warm_up()
        self.warm = float(self.response(until - time.monotonic()).split()[1])

    def go(self, steps, seconds=60):
        """Milliseconds per step."""
        milliseconds, self.peak = map(float, self.ask("go", steps, seconds).split())
        return milliseconds / steps

    def close(self, patience=3):
        """Ends the process and its children: they are one process group."""
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait()
        self.log.close()


def contenders_of(case, complete, without):
    """(kind, encoder, whether it alternates with the first contender alone)"""
    apart = case in ONE_BY_ONE
    chosen = [("graph", None, False), ("pair", None, apart)] + [("fed", None, apart), ("c2f_eager", None, apart)] * complete
    chosen += [("in_turn", None, apart)] * (complete and case not in LARGE)
    # The peers of a case where there is no time for all.
    few = ("eager_bf16", "max_autotune" if (case, "max_autotune", 1.15) in TARGETS else "compile")
    for kind in ("eager", "eager_bf16", "compile", "max_autotune") if complete else few:
        chosen.append((kind, "compact", apart or (case in LARGE and kind == "eager")))  # float32: twice the memory
        if complete and case in CLASS_VECTORS and (kind == "eager_bf16" or case not in LARGE):
            chosen.append((kind, "tiled", case in LARGE))
    return [each for each in chosen if each[0] not in without]


class Benchmark:
    def __init__(self, arguments):
        self.arguments = arguments
        self.begin = time.monotonic()
        self.left_out = []
        self.alive = []
        self.results = {}

    def left(self):
        return self.arguments.budget - (time.monotonic() - self.begin)

    def leave_out(self, case, what, why):
        self.left_out.append([case, what, why])
        print(f"left out of {case}: {what}: {why}", file=sys.stderr, flush=True)

    def start(self, case, kind, encoder):
        """A contender, or None where it does not start."""
        try:
            self.alive.append(Contender(case, kind, encoder, self.arguments))
            return self.alive[-1]
        except Lost as lost:
            self.leave_out(case, f"{kind} {encoder or ''}".strip(), str(lost))

    def drop(self, case, each, why):
        self.leave_out(case, each.name, why)
        self.close(each)

    def close(self, each):
        each.close()
        self.alive.remove(each)

    def ready(self, case, contenders, until):
        """The contenders that are ready in time; `until` is a point in time."""
        found = []
        for each in contenders:
            try:
                each.wait_until_ready(until - time.monotonic())
                found.append(each)
            except Lost as lost:
                self.drop(case, each, str(lost))
        return found

    def prepare(self, cases, complete):
        """Starts everything that compiles, to fill torch's cache, and measures nothing."""
        slow = [(case, self.start(case, kind, encoder)) for case in cases if case in complete or case in ("resnet56", "resnet110")
                for kind, encoder, apart in contenders_of(case, case in complete, self.arguments.without) if kind in SLOW and not apart]
        for case, each in slow:
            for ready in self.ready(case, [each] if each else [], time.monotonic() + self.left()):
                print(f"{case}, {each.name}: {ready.warm:.0f} s")
                self.close(ready)

    def phase(self, cases, complete, fraction):
        """Compiles for all of these cases in parallel, for at most `fraction` of the remaining time, and then measures them one by one."""
        listed = {case: contenders_of(case, complete, self.arguments.without) for case in cases}
        slow = {case: [self.start(case, kind, encoder) for kind, encoder, apart in listed[case] if kind in SLOW and not apart] for case in cases}
        until = time.monotonic() + fraction * self.left()
        for case in cases:
            slow[case] = self.ready(case, [each for each in slow[case] if each], until)
        for number, case in enumerate(cases):
            if self.left() < (5 if self.arguments.tiny else 30):
                self.leave_out(case, "the case", "no time was left")
                for each in slow[case]:
                    self.close(each)
                continue
            fair = self.left() / (len(cases) - number)  # the remaining time is divided among the remaining cases
            fast = [self.start(case, kind, encoder) for kind, encoder, apart in listed[case] if kind not in SLOW and not apart]
            fast = self.ready(case, [each for each in fast if each], time.monotonic() + min(90, self.left() - 5))
            self.measure(case, fast + slow[case], [(kind, encoder) for kind, encoder, apart in listed[case] if apart], fair,
                         35 * (len(cases) - number - 1))

    def measure(self, case, together, apart, fair, reserve):
        """A case: `together` alternate with one another; each of `apart` alternates with the first of them, if `reserve` seconds are left after it."""
        order = list(NAMES)
        together = self.alternate(case, sorted(together, key=lambda each: (order.index(each.kind), each.encoder or "")), fair)
        while not together and apart and self.left() > 20:
            each = self.start(case, *apart.pop(0))
            together = self.alternate(case, self.ready(case, [each], time.monotonic() + 0.5 * self.left()), 20) if each else []
        if not together:
            return self.leave_out(case, "the case", "no contender was left")
        first, measured = together[0], list(together)
        for each in together:
            each.base = first.rounds
        for each in together[1:]:
            self.look_at(case, each)
            self.close(each)
        for kind, encoder in apart:
            if first not in self.alive or self.left() < 45 + reserve:
                self.leave_out(case, f"{NAMES[kind]} {encoder or ''}".strip(), "no time was left" if first in self.alive else "the first one is lost")
                continue
            each = self.start(case, kind, encoder)
            if each and self.ready(case, [each], time.monotonic() + (0.5 * self.left() if kind in SLOW else min(60, self.left() - 20))):
                rounds, first.rounds = first.rounds, []
                if each in self.alternate(case, [first, each], 20):
                    each.base, each.apart = first.rounds, True
                    self.look_at(case, each)
                    self.close(each)
                    measured.append(each)
                first.rounds = rounds
        if first in self.alive:
            self.look_at(case, first)
            self.close(first)
        self.results[case] = {each.key: described(each) for each in measured}
        self.store()

    def alternate(self, case, contenders, fair):
        """Measures their rounds; returns the contenders that did not fail."""
        until, steps = time.monotonic() + 0.6 * fair, {}
        for each in contenders:  # finds the number of steps of a turn
            try:
                each.go(2)
                steps[each] = max(2, min(300, round(self.arguments.turn / each.go(3))))
            except Lost as lost:
                self.drop(case, each, str(lost))
        for number in range(self.arguments.rounds):
            if number >= 5 and time.monotonic() > until:
                print(f"{case}: {number} rounds instead of {self.arguments.rounds}: the time", file=sys.stderr)
                break
            for each in contenders:
                if each in self.alive:
                    try:
                        each.rounds.append(each.go(steps[each]))
                    except Lost as lost:
                        self.drop(case, each, str(lost))
        return [each for each in contenders if each in self.alive]

    def look_at(self, case, each):
        """A profile of its steps; after its rounds, since a profiler may slow the host down. It takes seconds, so not all are profiled."""
        if each.encoder == "tiled" or each.kind == "eager":
            return
        if self.left() < 15:
            return self.leave_out(case, "kernels of " + each.name, "no time was left")
        try:
            each.look = json.loads(each.ask("look", 2, min(30, self.left() - 10)))
        except (Lost, ValueError) as lost:
            self.leave_out(case, "kernels of " + each.name, str(lost))

    def store(self):
        with contextlib.redirect_stdout(sys.stderr):
            save(self.arguments.build, "gpu.json", {"conditions": self.arguments.facts, "cases": self.results, "left out": self.left_out})


def described(each):
    return {"name": each.name, "ms": each.rounds, "base_ms": each.base, "peak_mb": each.peak, "warm_s": each.warm, "apart": each.apart, "look": each.look}


# ---- the report ----


def times_first(each):
    """Time relative to the first contender: the median over their common rounds."""
    return statistics.median(own / first for own, first in zip(each["ms"], each["base_ms"]))


def launches(look):
    return sum(count for name, count in look["calls"].items() if LAUNCH.match(name)) / look["steps"]


def parts_of(look):
    """Milliseconds of a step by purpose of the kernels."""
    found = {}
    for name, _, nanoseconds in look["kernels"]:
        part = next((part for part, pattern in PARTS if re.search(pattern, name)), "others")
        found[part] = found.get(part, 0) + nanoseconds / look["steps"] / 1e6
    return found


def number(value):
    return f"{value:.3f}" if value < 10 else f"{value:.2f}" if value < 100 else f"{value:.1f}"


def targets_of(case, found):
    """(what, ratio, limit, whether at least)"""
    wanted = [(f"{peer} compact" if case in CLASS_VECTORS else peer, limit, True) for target, peer, limit in TARGETS if target == case]
    wanted += [("pair", PAIR_LIMIT[case], False)] if case in PAIR_LIMIT else []
    targets = []
    for other, limit, least in wanted:
        if other not in found or "graph" not in found:
            names = (other, "graph") if least else ("graph", other)
            print(f"- {' / '.join(names)}, wanted {'at least' if least else 'at most'} {limit:g}: not measured")
        elif least:
            targets.append((f"{found[other]['name']} / {found['graph']['name']}", times_first(found[other]), limit, least))
        else:
            targets.append((f"{found['graph']['name']} / {found[other]['name']}", 1 / times_first(found[other]), limit, least))
    if "fed" in found and "graph" in found:
        targets.append((f"steps a second, {found['fed']['name']} / {found['graph']['name']}", 1 / times_first(found["fed"]), FED_LIMIT, True))
    return targets


def show(results):
    print_conditions(results["conditions"])
    for case, found in results["cases"].items():
        print(f"**{TITLES[case]}**\n")
        first = next(iter(found.values()))["name"]
        rows, parts = [], {}
        for each in found.values():
            look = each["look"] if each["look"] and each["look"]["kernels"] else None
            if look:
                parts[each["name"]] = parts_of(look)
            rows.append([each["name"] + (" (apart)" if each["apart"] else ""), number(statistics.median(each["ms"])),
                         f"{number(min(each['ms']))} ... {number(max(each['ms']))}", f"{times_first(each):.2f}", f"{each['peak_mb']:.0f}",
                         f"{sum(count for _, count, _ in look['kernels']) / look['steps']:.0f}" if look else "", f"{launches(look):.0f}" if look else "",
                         f"{each['warm_s']:.0f}"])
        print_table(["", "ms per step, median", "least ... most", f"times {first}", "peak MB", "kernels per step", "launches per step",
                     "s to get ready"], rows)
        if parts:
            columns = [part for part in [*dict(PARTS), "others"] if any(part in each for each in parts.values())]
            print("Milliseconds of a step on the device, by purpose of the kernels:\n")
            print_table(["", *columns, "all"], [[name, *(number(each.get(part, 0)) for part in columns), number(sum(each.values()))] for name, each in parts.items()])
        print_targets(targets_of(case, found))
    if results["left out"]:
        print("Left out:\n")
        for case, what, why in results["left out"]:
            print(f"- {case}: {what}: {why}")
        print(flush=True)


def plot(results, path):
    panels = []
    for case, found in results["cases"].items():
        values = [(each["name"], statistics.median(each["ms"]), min(each["ms"]), max(each["ms"]), key in ("graph", "fed", "pair", "c2f_eager"))
                  for key, each in found.items()]
        panels.append((TITLES[case], "ms", values))
    gpu = results["conditions"].get("gpu", "").split(",")[0]
    bars(path, f"Milliseconds of a training step, {gpu or 'no GPU'}", panels)
    print(f"written: {os.path.relpath(path, os.getcwd())}")


def arguments_given():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="the folder CMake built in")
    parser.add_argument("--budget", type=float, default=3600, metavar="SECONDS", help="end within this time (default 3600)")
    parser.add_argument("--case", choices=TITLES, action="append", help="only this one; may be repeated")
    parser.add_argument("--complete", default="resnet20,resnet18,fcn8s", help="cases with every contender, separated by commas, or 'all'")
    parser.add_argument("--without", default="", help="contenders to leave out, separated by commas: " + ", ".join(NAMES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--turn", type=float, default=250, metavar="MS", help="how long a turn takes, in milliseconds")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small networks and images, to try this without a GPU")
    parser.add_argument("--prepare", action="store_true", help="measure nothing, let torch.compile fill its cache")
    parser.add_argument("--show", metavar="JSON", help="measure nothing, print the results of an earlier run")
    parser.add_argument("--plot", nargs="?", const=os.path.join(ROOT, "docs", "gpu_step.svg"), metavar="SVG", help="also draw docs/gpu_step.svg")
    parser.add_argument("--logs", help="a folder for the output of the contenders; default: a temporary one")
    arguments = parser.parse_args()
    arguments.without = [each for each in arguments.without.split(",") if each]
    arguments.complete = list(TITLES) if arguments.complete == "all" else arguments.complete.split(",")
    for each in arguments.without:
        if each not in NAMES:
            parser.error(f"--without: no contender '{each}'")
    for each in arguments.complete:
        if each not in TITLES:
            parser.error(f"--complete: no case '{each}'")
    return arguments


def main():
    arguments = arguments_given()
    if arguments.show:
        with open(arguments.show) as file:
            results = json.load(file)
        show(results)
        if arguments.plot:
            plot(results, arguments.plot)
        return
    gpu = output_of("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader").split("\n")[0]
    if arguments.device == "cuda" and not gpu:
        print("bench gpu: no GPU here (nvidia-smi); write --device cpu --tiny to try it without one", file=sys.stderr)
        sys.exit(2)
    temporary = None
    if not arguments.logs:
        arguments.logs = temporary = tempfile.mkdtemp(prefix="c2f-bench-gpu-")
    os.makedirs(arguments.logs, exist_ok=True)
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    arguments.facts = conditions(arguments.build) | {"gpu": gpu, "torch": version, "device": arguments.device + (", tiny" if arguments.tiny else "")}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the contenders are ended
    benchmark = Benchmark(arguments)
    cases = arguments.case or list(TITLES)
    try:
        if arguments.prepare:
            return benchmark.prepare(cases, arguments.complete)
        complete = [case for case in cases if case in arguments.complete]
        others = [case for case in cases if case not in arguments.complete]
        if complete:
            benchmark.phase(complete, True, 0.55)
        # One at a time, so that some of them are measured even in little time.
        for case in others:
            benchmark.phase([case], False, 0.5)
    finally:
        for each in benchmark.alive:
            each.close(0)
        if not arguments.prepare:
            benchmark.store()
        if temporary and not benchmark.left_out:
            shutil.rmtree(temporary, ignore_errors=True)
    with open(os.path.join(ROOT, "build", "bench", "gpu.json")) as file:
        show(json.load(file))  # from the file, so that --show prints the same
    if not benchmark.results:
        sys.exit("bench gpu: nothing was measured")
    if arguments.plot:
        plot({"conditions": arguments.facts, "cases": benchmark.results}, arguments.plot)


if __name__ == "__main__":
    main()
