"""ResNets and gradually updated networks of c2f against plain PyTorch, from the same weights: logits in both modes, every gradient, the running statistics.

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


class GunnUpdate(torch.nn.Module):
    """1x1, 3x3 and 1x1 convolutions, each with a norm; `shortcut`: a 1x1 convolution of what it reads with a norm is added."""

    def __init__(self, channels, width, expansion, shortcut):
        super().__init__()
        wide = expansion * width
        self.conv1, self.bn1 = torch.nn.Conv2d(channels, wide, 1, bias=False), torch.nn.BatchNorm2d(wide)
        self.conv2, self.bn2 = torch.nn.Conv2d(wide, wide, 3, padding=1, bias=False), torch.nn.BatchNorm2d(wide)
        self.conv3, self.bn3 = torch.nn.Conv2d(wide, width, 1, bias=False), torch.nn.BatchNorm2d(width)
        if shortcut:
            self.shortcut = torch.nn.Sequential(torch.nn.Conv2d(channels, width, 1, bias=False), torch.nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn3(self.conv3(self.bn2(self.conv2(y)).relu()))
        return y + self.shortcut(x) if hasattr(self, "shortcut") else y


class GunnStack(torch.nn.Module):
    """Two updates and one shortcut for both."""

    def __init__(self, channels, width, expansion):
        super().__init__()
        self.body = torch.nn.Sequential(GunnUpdate(channels, width, expansion, False), GunnUpdate(width, width, expansion, False))
        self.shortcut = torch.nn.Sequential(torch.nn.Conv2d(channels, width, 1, bias=False), torch.nn.BatchNorm2d(width))

    def forward(self, x):
        return self.body(x) + self.shortcut(x)


class GunnLayer(torch.nn.ModuleList):
    """x_c <- x_c + unit_c(x) for each group c of channels in turn; `gradual`: x has the groups before it updated. Written with a list of
    groups that are concatenated for each unit."""

    def __init__(self, units, gradual=True, residual=True):
        super().__init__(units)
        self.gradual, self.residual = gradual, residual

    def forward(self, x):
        old = list(x.chunk(len(self), 1))
        new = list(old)
        for number, unit in enumerate(self):
            update = unit(torch.cat(new if self.gradual else old, 1))
            new[number] = old[number] + update if self.residual else update
        return torch.cat(new, 1)


class GunnStage(torch.nn.Module):
    def __init__(self, before, channels, pool, gunn1):
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(before, channels, 1, bias=False), torch.nn.BatchNorm2d(channels)
        self.pool, self.gunn1 = pool, gunn1

    def forward(self, x):
        y = self.bn1(self.conv1(x)).relu()
        return self.gunn1(functional.avg_pool2d(y, 2) if self.pool else y)


class Gunn15(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        layer = lambda channels, groups: GunnLayer(GunnUpdate(channels, channels // groups, 2, True) for _ in range(groups))
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 64, 3, padding=1, bias=False), torch.nn.BatchNorm2d(64), torch.nn.ReLU(),
            GunnStage(64, 240, False, layer(240, 20)), GunnStage(240, 300, True, layer(300, 25)), GunnStage(300, 360, True, layer(360, 30)),
            torch.nn.Conv2d(360, 360, 1, bias=False), torch.nn.BatchNorm2d(360), torch.nn.ReLU())
        self.fc = torch.nn.Linear(360, classes)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


def small_gunn(classes):
    """Three stages of 12 channels: two units a group; all groups at once; without the identity."""
    layers = [GunnLayer(GunnStack(12, 4, 3) for _ in range(3)), GunnLayer((GunnUpdate(12, 3, 2, False) for _ in range(4)), gradual=False),
              GunnLayer((GunnUpdate(12, 6, 1, True) for _ in range(2)), residual=False)]
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1, bias=False), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
                               *(GunnStage(12 if at else 8, 12, at > 0, layer) for at, layer in enumerate(layers)),
                               torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()), torch.nn.Linear(12, classes))


# name -> network, image size, images, classes. Images have the usual size, so that the norms of the last stage of ResNet-50 average over
# 98 positions; 64x64 pixels with two images would leave 8.
CASES = {
    "resnet_cifar_20": (lambda: ResNetCifar(20, 100), 32, 16, 100),
    "resnet_cifar_56_bottleneck": (lambda: ResNetCifar(56, 10, Bottleneck), 32, 8, 10),
    "resnet_18": (lambda: ResNet(18, 1000), 224, 2, 1000),
    "resnet_50": (lambda: ResNet(50, 1000), 224, 2, 1000),
    "fcn_resnet_50": (lambda: Fcn(11), 96, 2, 11),
    "gunn_15": (lambda: Gunn15(10), 32, 8, 10),
    "gunn_small": (lambda: small_gunn(5), 16, 8, 5),
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
        wanted64, gradients64, after64 = outputs(exact, images.double(), truth)
        # A bias that only norms read behind 1x1 convolutions changes nothing: its gradient is rounding, on either side.
        largest = max(float(gradient.abs().max()) for gradient in gradients64.values())
        zero = {path for path, gradient in gradients64.items() if float(gradient.abs().max()) < 1e-9 * largest}
        for path in zero:
            for side in (gradients, gradients64, found):
                rounding = side.pop(f"gradient.{path}" if side is found else path)
                assert abs(numpy.asarray(rounding)).max() < 1e-4 * largest, path
        comparison = Comparison(name)
        for part in wanted:
            comparison.add(part, found[part], wanted[part])
        comparison.add_all("gradient.", found, gradients)
        comparison.add_all("after.", found, after)
        good = comparison.passed() and good
        print(f"  Python float32 from double: logits and loss {distance(wanted, wanted64):.1e}, gradients {distance(gradients, gradients64):.1e}, state {distance(after, after64):.1e}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
