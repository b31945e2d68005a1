"""The Python program that bench_gpu is compared with: steps of progressive training, t = 0.5, in plain PyTorch.

    gpu.py CASE eager|eager_bf16|compile|max_autotune tiled|compact [--device cpu|cuda] [--tiny]

    eager          float32 (TF32 where the hardware has it), contiguous
    eager_bf16     channels last, autocast to bfloat16
    compile        the same under torch.compile, one graph
    max_autotune   the same with mode="max-autotune", which also captures CUDA graphs

tiled is g on the tiled image; compact is c2f's evaluation of it on 5x5 pixels, written in Python. Only class vectors have both.
Random numbers, truths and images are on the device, a step never synchronises with the host, and the optimiser is one fused call.

It prints "built", and after a first line on stdin warms up, which includes compiling, and prints "ready". Then it executes commands from
stdin, so that contenders can alternate:
    go K     prints the milliseconds of K steps together, and the peak of the device memory so far, in MB
    look K   prints a profile of K steps as one line of JSON: kernels by name with number and nanoseconds, and calls of the host by name
"""
import argparse
import collections
import json
import os
import re
import resource
import sys
import time

protocol = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # output of libraries must not mix with the protocol

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "parity"))
from _reference import ResNet, ResNetCifar
from fcn8s import Fcn8s

T = 0.5


class Localiser(nn.Module):
    def __init__(self, channels, width, classes=1):
        super().__init__()
        self.backbone = ResNet(50, 10, channels)
        del self.backbone.layer4, self.backbone.fc
        self.head = nn.Sequential(nn.Conv2d(1024, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
                                  nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
                                  nn.Conv2d(width, 4 * classes, 1))

    def forward(self, x):
        b = self.backbone
        x = b.maxpool(b.relu(b.bn1(b.conv1(x))))
        return self.head(b.layer3(b.layer2(b.layer1(x)))).mean((2, 3))


class Project(nn.Module):
    """The two 3x3 convolutions at the end of every g."""

    def __init__(self, channels, out=3):
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(channels, out, 3, 1, 1), nn.ReLU(inplace=True), nn.Conv2d(out, out, 3, 1, 1), nn.ReLU(inplace=True))

    def forward(self, y, x):
        return self.project(y)


class Tiled(Project):
    def forward(self, y, x):
        tile = y.to(x.dtype)[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        return self.project(like(tile, x))


class Compact(Project):
    """parts/encode_tile.hpp: g on 5x5 pixels; its interior is then broadcast to the image's size."""

    def forward(self, y, x):
        side = 5
        tile = y.to(x.dtype)[:, :, None, None].expand(-1, -1, min(side, x.shape[2]), min(side, x.shape[3]))
        z = self.project(like(tile, x)).permute(0, 2, 3, 1)
        for dim, size in ((2, x.shape[3]), (1, x.shape[2])):  # the inner dimension in memory first
            if z.shape[dim] < size:
                sizes = [-1] * 4
                sizes[dim] = size - side + 1
                z = torch.cat([z.narrow(dim, 0, 2), z.narrow(dim, 2, 1).expand(sizes), z.narrow(dim, 3, 2)], dim)
        return z.permute(0, 3, 1, 2)


def like(tile, x):
    last = x.is_contiguous(memory_format=torch.channels_last)
    return tile.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


class Classes:
    """c2f::class_vector<K>"""

    def __init__(self, classes, tile):
        self.classes = classes
        self.encoder = lambda: tile(classes)

    def truth(self, batch, side):
        return torch.arange(batch) % self.classes

    def predict(self, raw):
        return raw.softmax(1)

    def from_truth(self, truth, prediction):
        return torch.zeros_like(prediction).scatter_(1, truth[:, None], 1.0)

    def loss(self, raw, truth):
        return functional.cross_entropy(raw.float(), truth)


class Box:
    """c2f::boxes<1> with hard edges, which have no gradient."""

    class Rasterize(Project):
        def forward(self, y, x):
            height, width = x.shape[2:]

            def along(axis, size):
                middle = torch.arange(size, device=y.device, dtype=y.dtype) + 0.5
                half = y[:, :, axis + 2, None] * (0.5 * size)
                return (((half - (middle - y[:, :, axis, None] * size).abs()) > 0) & (half > 0)).to(x.dtype)

            return self.project(like(along(1, height)[:, :, :, None] * along(0, width)[:, :, None, :], x))

    def encoder(self):
        return self.Rasterize(1)

    def truth(self, batch, side):
        size = 0.1 + 0.5 * torch.rand(batch, 1, 2)
        return torch.cat([0.3 + 0.4 * torch.rand(batch, 1, 2), size, torch.ones(batch, 1, 1)], 2)

    def predict(self, raw):
        return raw.float().sigmoid().view(-1, 1, 4)

    def from_truth(self, truth, prediction):
        return torch.cat([truth[:, :, :2], truth[:, :, 2:4] * truth[:, :, 4:]], 2)

    def loss(self, raw, truth):
        there = truth[:, :, 4:]
        distance = (functional.logsigmoid(raw.float()).view(-1, 1, 4) - truth[:, :, :4].clamp_min(1e-4).log()).abs()
        return (distance * there).sum() / there.sum().clamp_min(1)


class Mask:
    """c2f::dense<1>; label 255 is ignored."""

    def encoder(self):
        return Project(1)

    def truth(self, batch, side):
        truth = torch.zeros(batch, side, side, dtype=torch.long)
        truth[:, side // 4 : side // 2, side // 4 : side // 2] = 1
        return truth

    def predict(self, raw):
        return raw.sigmoid()

    def from_truth(self, truth, prediction):
        return truth.eq(1).to(prediction.dtype)[:, None]

    def loss(self, raw, truth):
        counted = truth.ne(255).float()
        sum_ = functional.binary_cross_entropy_with_logits(raw[:, 0].float(), truth.eq(1).float(), counted, reduction="sum")
        return sum_ / counted.sum().clamp_min(1)


class Model(nn.Module):
    """Equations 1 to 4 of Ren et al. 2020 with their losses."""

    def __init__(self, network, kind):
        super().__init__()
        self.coarse, self.encoder, self.fine = network(3), kind.encoder(), network(6)
        self.kind = kind

    def forward(self, x, truth):
        coarse = self.coarse(x)
        prediction = self.kind.predict(coarse)
        take_truth = (torch.rand(len(x), device=x.device) > T).view(-1, *[1] * (prediction.dim() - 1))
        conditioning = torch.where(take_truth, self.kind.from_truth(truth, prediction), prediction)
        fine = self.fine(torch.cat([x, self.encoder(conditioning, x).to(x.dtype)], 1))
        return self.kind.loss(coarse, truth) + self.kind.loss(fine, truth)


def case(name, tile, tiny):
    """network(channels), kind, batch, side: those of gpu/gpu.cpp."""
    depth = int(re.sub(r"\D", "", name) or 0)
    if name in ("resnet20", "resnet56", "resnet110"):
        classes, batch, side = (10, 4, 32) if tiny else (100, 128, 32)
        return lambda channels: ResNetCifar(depth, classes, channels=channels), Classes(classes, tile), batch, side
    if name in ("resnet18", "resnet50"):
        classes, batch, side = (10, 2, 32) if tiny else (1000, 256, 224)
        return lambda channels: ResNet(depth, classes, channels), Classes(classes, tile), batch, side
    if name == "localiser":
        width, batch, side = (32, 2, 64) if tiny else (4096, 32, 192)
        return lambda channels: Localiser(channels, width), Box(), batch, side
    if name == "fcn8s":
        hidden, width, side = (32, 8, 64) if tiny else (4096, 64, 512)
        return lambda channels: Fcn8s(1, hidden, width, channels), Mask(), 1, side
    sys.exit(f"gpu.py: no case '{name}'")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case")
    parser.add_argument("variant", choices=["eager", "eager_bf16", "compile", "max_autotune"])
    parser.add_argument("encoder", choices=["tiled", "compact"])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda")
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    on_gpu = chosen.device == "cuda"

    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = True
    network, kind, batch, side = case(chosen.case, {"tiled": Tiled, "compact": Compact}[chosen.encoder], chosen.tiny)
    bf16 = chosen.variant != "eager"
    layout = torch.channels_last if bf16 else torch.contiguous_format
    device = torch.device(chosen.device)
    model = Model(network, kind).to(device, memory_format=layout).train()
    images = torch.randn(batch, 3, side, side).to(device, torch.bfloat16 if bf16 else torch.float32, memory_format=layout)
    truth = kind.truth(batch, side).to(device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.01, momentum=0.9, weight_decay=1e-4, fused=True)

    def loss_of(x, truth):
        with torch.autocast(chosen.device, torch.bfloat16, enabled=bf16):
            return model(x, truth)

    if chosen.variant == "compile":
        loss_of = torch.compile(loss_of, dynamic=False)
    if chosen.variant == "max_autotune":
        for tensor in (images, truth):
            torch._dynamo.mark_static_address(tensor)  # its graphs read them without a copy
        loss_of = torch.compile(loss_of, dynamic=False, mode="max-autotune")

    def step():
        optimizer.zero_grad(set_to_none=True)
        if chosen.variant == "max_autotune":
            torch.compiler.cudagraph_mark_step_begin()
        loss_of(images, truth).backward()
        optimizer.step()

    def run(steps):
        for _ in range(steps):
            step()

    def finish():
        if on_gpu:
            torch.cuda.synchronize()

    def peak_megabytes():
        if on_gpu:
            return torch.cuda.max_memory_reserved() / 2**20
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    print("built", file=protocol)
    if not sys.stdin.readline():
        return
    begin = time.perf_counter()
    run(2 if chosen.tiny else 6)  # compiles, searches, captures its graphs
    finish()
    if on_gpu:  # the memory of the warm-up is not that of a step
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run(3)
        finish()
    print("ready", f"{time.perf_counter() - begin:.1f}", file=protocol)

    for line in iter(sys.stdin.readline, ""):
        what, count = line.split()
        if what == "go":
            finish()
            begin = time.perf_counter()
            run(int(count))
            finish()
            print(f"{1e3 * (time.perf_counter() - begin):.4f}", f"{peak_megabytes():.1f}", file=protocol)
        else:
            print(json.dumps(look(run, finish, int(count), on_gpu)), file=protocol)


def look(run, finish, steps, on_gpu):
    run(1)
    finish()
    activity = torch.profiler.ProfilerActivity
    with torch.profiler.profile(activities=[activity.CUDA if on_gpu else activity.CPU]) as profile:
        run(steps)
        finish()
    kernels, calls = collections.defaultdict(lambda: [0, 0]), collections.Counter()
    for event in profile.profiler.kineto_results.events():
        if event.is_user_annotation():
            continue
        if event.device_type() == torch.autograd.DeviceType.CUDA:
            found = kernels[event.name()]
            found[0] += 1
            found[1] += event.duration_ns()
        elif re.match("cu(da)?[A-Z]", event.name()):
            calls[event.name()] += 1
    return {"steps": steps, "kernels": [[name, *found] for name, found in kernels.items()], "calls": calls}


if __name__ == "__main__":
    main()
