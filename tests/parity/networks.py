"""ResNets of c2f against plain PyTorch, from the same weights: logits in both modes, every gradient, the running statistics.

The weights are random and travel by name, so the names must be the same on both sides. The Python side is float32: it calls the
same kernels, so what differs is a mistake and not rounding. Its own distance from double precision is printed with it: the
gradients of a deep network with norms over two images are far from exact in float32, on either side.
"""
import sys

import numpy
import torch
from torch.nn import functional

from _exchange import Comparison, call
from _reference import Bottleneck, ResNet, ResNetCifar


class Fcn(torch.nn.Module):
    """ResNet-50 at output stride 8, as torchvision's replace_stride_with_dilation makes it, and torchvision's FCN head."""

    def __init__(self, classes):
        super().__init__()
        self.backbone = ResNet(50, 10)
        del self.backbone.fc, self.backbone.avgpool
        dilation = 1
        for layer in (self.backbone.layer3, self.backbone.layer4):
            before, dilation = dilation, 2 * dilation
            layer[0].downsample[0].stride = (1, 1)
            for number, block in enumerate(layer):
                holes = before if number == 0 else dilation
                block.conv2.stride, block.conv2.padding, block.conv2.dilation = (1, 1), (holes, holes), (holes, holes)
        self.classifier = torch.nn.Sequential(
            torch.nn.Conv2d(2048, 512, 3, padding=1, bias=False), torch.nn.BatchNorm2d(512), torch.nn.ReLU(), torch.nn.Identity(),
            torch.nn.Conv2d(512, classes, 1))

    def forward(self, x):
        b = self.backbone
        y = b.maxpool(b.relu(b.bn1(b.conv1(x))))
        y = self.classifier(b.layer4(b.layer3(b.layer2(b.layer1(y)))))
        return functional.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False)


# name -> network, image size, images, classes. Images have the usual size, so that the norms of the last stage of ResNet-50 average over
# 98 positions; 64x64 pixels with two images would leave 8.
CASES = {
    "resnet_cifar_20": (lambda: ResNetCifar(20, 100), 32, 16, 100),
    "resnet_cifar_56_bottleneck": (lambda: ResNetCifar(56, 10, Bottleneck), 32, 8, 10),
    "resnet_18": (lambda: ResNet(18, 1000), 224, 2, 1000),
    "resnet_50": (lambda: ResNet(50, 1000), 224, 2, 1000),
    "fcn_resnet_50": (lambda: Fcn(11), 96, 2, 11),
}


def random_state(network, random):
    """Random values, different for each parameter and buffer."""
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(int(random.integers(1, 100)))
        elif name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            tensor.copy_(torch.from_numpy(random.uniform(0.5, 1.5, tensor.shape)))
        elif tensor.dim() == 1:
            tensor.copy_(torch.from_numpy(random.normal(0, 0.1, tensor.shape)))
        else:
            tensor.copy_(torch.from_numpy(random.normal(0, (2 / tensor[0].numel()) ** 0.5, tensor.shape)))


def outputs(network, images, truth):
    network.eval()
    found = {"eval": network(images).detach()}
    network.train()
    logits = network(images)
    loss = functional.cross_entropy(logits, truth)
    loss.backward()
    found |= {"train": logits.detach(), "loss": loss.detach()}
    gradients = {name: tensor.grad for name, tensor in network.named_parameters()}
    return found, gradients, {name: tensor.clone() for name, tensor in network.state_dict().items()}


def distance(found, wanted):
    return max(float((found[name].double() - wanted[name]).abs().max() / wanted[name].abs().max().clamp_min(1e-300)) for name in wanted)


def main():
    good = True
    for number, (name, (make, side, batch, classes)) in enumerate(CASES.items()):
        random = numpy.random.default_rng(number)
        network = make()
        random_state(network, random)
        images = random.normal(0, 1, (batch, 3, side, side)).astype(numpy.float32)
        truth = random.integers(0, classes, (batch, side, side) if name.startswith("fcn") else batch)
        given = {f"state.{path}": tensor.numpy().copy() for path, tensor in network.state_dict().items()}
        exact = make().double()
        exact.load_state_dict(network.state_dict())

        found = call("networks", name, given | {"images": images, "truth": truth})
        images, truth = torch.from_numpy(images), torch.from_numpy(truth)
        wanted, gradients, after = outputs(network, images, truth)
        comparison = Comparison(name)
        for part in wanted:
            comparison.add(part, found[part], wanted[part])
        comparison.add_all("gradient.", found, gradients)
        comparison.add_all("after.", found, after)
        good = comparison.passed() and good

        wanted64, gradients64, after64 = outputs(exact, images.double(), truth)
        print(f"  Python float32 from double: logits and loss {distance(wanted, wanted64):.1e}, gradients {distance(gradients, gradients64):.1e}, state {distance(after, after64):.1e}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
