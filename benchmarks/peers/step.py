"""The Python program that bench_step is compared with: a step of progressive training in plain PyTorch, g on the tiled image.

    step.py cifar|imagenet eager|compile

The models are those of tests/parity, which checks that they compute what c2f computes. It has the protocol of bench_step ("go K").
"""
import os
import resource
import sys
import time

import torch
from torch.nn import functional

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "parity"))
from _reference import ResNet, ResNetCifar, Stack

CASES = {  # network, classes, batch, size
    "cifar": (lambda channels: ResNetCifar(20, 100, channels=channels), 100, 128, 32),
    "imagenet": (lambda channels: ResNet(18, 1000, channels), 1000, 8, 224),
}
T = 0.5


def main():
    case, kind = sys.argv[1:]
    network, classes, batch, side = CASES[case]
    model = Stack(network, classes).to(memory_format=torch.channels_last).train()
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    truth = torch.randint(classes, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4, fused=True)
    forward = torch.compile(model) if kind == "compile" else model

    def step():
        optimizer.zero_grad()
        coarse, fine = forward(images, truth, torch.rand(batch) > T)
        loss = functional.cross_entropy(coarse, truth) + functional.cross_entropy(fine, truth)
        loss.backward()
        optimizer.step()

    def peak_megabytes():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    print("ready", torch.get_num_threads(), f"{peak_megabytes():.1f}", flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line.split()[1])):
            begin = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - begin)
        print(*(f"{second:.6f}" for second in seconds), f"{peak_megabytes():.1f}", flush=True)


if __name__ == "__main__":
    main()
