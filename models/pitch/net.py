"""The detector: a small convolutional net with YOLOX's output, grid undecoded, strides 8, 16, 32."""
import torch
from torch import nn
from torch.nn import functional

CLASSES = ["player", "ball"]
STRIDES = [8, 16, 32]
SCALE = 1 / 64  # of the pixels; goes into the first weights on export


def conv(inputs, outputs, stride=1, size=3):
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Block(nn.Module):
    """Two convolutions beside a short cut."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels), conv(channels, channels))

    def forward(self, x):
        return x + self.body(x)


class Head(nn.Sequential):
    """x, y, w, h, objectness and classes of every cell."""

    def __init__(self, channels):
        super().__init__(conv(channels, channels), nn.Conv2d(channels, 5 + len(CLASSES), 1))
        nn.init.zeros_(self[1].bias)
        nn.init.constant_(self[1].bias[4:], -5.0)


class Net(nn.Module):
    def __init__(self, stem=(16, 32), widths=(32, 48, 64)):
        super().__init__()
        a, b, c = widths
        self.stem = nn.Sequential(conv(3, stem[0], 2), conv(stem[0], stem[1], 2))
        self.down8 = nn.Sequential(conv(stem[1], a, 2), Block(a))
        self.down16 = nn.Sequential(conv(a, b, 2), Block(b))
        self.down32 = nn.Sequential(conv(b, c, 2), Block(c))
        self.lift16, self.lift8 = conv(c, b, size=1), conv(b, a, size=1)
        self.heads = nn.ModuleList([Head(a), Head(b), Head(c)])

    def forward(self, images):
        x8 = self.down8(self.stem(images))
        x16 = self.down16(x8)
        x32 = self.down32(x16)
        x16 = x16 + functional.interpolate(self.lift16(x32), scale_factor=2.0, mode="nearest")
        x8 = x8 + functional.interpolate(self.lift8(x16), scale_factor=2.0, mode="nearest")
        levels = [head(x) for head, x in zip(self.heads, (x8, x16, x32))]
        # (N, 5 + classes, cells) of each level, one after the other; then cells first
        return torch.cat([level.flatten(2) for level in levels], 2).permute(0, 2, 1)


def grid(width, height):
    """(A, 3): column, row and stride of every cell, in the order of the output."""
    cells = []
    for s in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // s), torch.arange(width // s), indexing="ij")
        cells.append(torch.stack([x.flatten(), y.flatten(), torch.full((x.numel(),), s)], 1))
    return torch.cat(cells).float()


def decode(output, cells):
    """Centre and size in pixels, (..., A, 4)."""
    s = cells[:, 2:]
    return torch.cat([(output[..., :2] + cells[:, :2]) * s,
                      output[..., 2:4].clamp(max=6).exp() * s], -1)
