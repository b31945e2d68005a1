"""The plain PyTorch reference of the parity tests and of benchmarks/peers: written for readability, without special optimisations."""
import torch
from torch import nn
from torch.nn import functional


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(channels, width, stride)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = shortcut(channels, 4 * width, stride)

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


def shortcut(channels, out, stride):
    """A 1x1 convolution and a norm where the shape changes, else nothing."""
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))


def stage(block, channels, width, blocks, stride):
    layers = [block(channels, width, stride)]
    layers += [block(width * block.expansion, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(*layers)


class ResNetCifar(nn.Module):
    """He et al., CVPR 2016, section 4.2, for 32x32 images; depth = 6 n + 2."""

    def __init__(self, depth, classes, block=BasicBlock, channels=3):
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = nn.Conv2d(channels, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = stage(block, 16, 16, n, 1)
        self.layer2 = stage(block, 16 * block.expansion, 32, n, 2)
        self.layer3 = stage(block, 32 * block.expansion, 64, n, 2)
        self.fc = nn.Linear(64 * block.expansion, classes)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class ResNet(nn.Module):
    """ResNet-18 and -50 for 224x224 images, with torchvision's names."""

    def __init__(self, depth, classes, channels=3):
        super().__init__()
        block, blocks = {18: (BasicBlock, (2, 2, 2, 2)), 50: (Bottleneck, (3, 4, 6, 3))}[depth]
        self.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = stage(block, 64, 64, blocks[0], 1)
        self.layer2 = stage(block, 64 * block.expansion, 128, blocks[1], 2)
        self.layer3 = stage(block, 128 * block.expansion, 256, blocks[2], 2)
        self.layer4 = stage(block, 256 * block.expansion, 512, blocks[3], 2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * block.expansion, classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.avgpool(x).flatten(1))


class Tile(nn.Module):
    """g of Ren et al. 2020: the vector is copied to every pixel, then two 3x3 convolutions, each followed by ReLU."""

    def __init__(self, classes, channels=3):
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(classes, channels, 3, 1, 1), nn.Conv2d(channels, channels, 3, 1, 1))

    def forward(self, y, x):
        z = y[:, :, None, None].expand(-1, -1, x.shape[2], x.shape[3])
        if x.is_contiguous(memory_format=torch.channels_last):  # once here; else the convolution copies it in forward and backward
            z = z.contiguous(memory_format=torch.channels_last)
        for convolution in self.project:
            z = functional.relu(convolution(z))
        return z


class Stack(nn.Module):
    """Equations 1 to 4 of Ren et al. 2020 with class vectors; `network(channels)` makes a network."""

    def __init__(self, network, classes, channels=3):
        super().__init__()
        self.classes = classes
        self.coarse = network(channels)
        self.encoder = Tile(classes, channels)
        self.fine = network(2 * channels)

    def forward(self, x, truth, take_truth):
        """take_truth: [N], whether the fine network is conditioned on the truth."""
        coarse = self.coarse(x)
        prediction = coarse.softmax(1)
        conditioning = torch.where(take_truth[:, None], functional.one_hot(truth, self.classes).to(prediction.dtype), prediction)
        fine = self.fine(torch.cat([x, self.encoder(conditioning, x)], 1))
        return coarse, fine
