"""Writes state dicts as the authors' code does, by PyTorch: VGG-6 of a few channels, a module a file.

model_{0..5}_299.ckpt   weights by formula, W_k[c, z] = cos(0.1 (c dim z + z) + k) / 8
features.json           of every module, mean over the map and all patches, of two images
code.ckpt               one of them that would run a command if it were unpickled
"""
import json
import os
import pathlib

import torch
from torch import nn

here = pathlib.Path(__file__).parent
channels, pools = [2, 4, 4, 4, 4, 4], [False, True, False, True, True, True]


class Loss(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.W_k = nn.ModuleList(nn.Conv2d(dim, dim, 1, bias=False) for _ in range(5))


class Module(nn.Module):
    def __init__(self, pre, dim, pool):
        super().__init__()
        pooled = [nn.MaxPool2d(2)] if pool else []
        self.model = nn.Sequential(nn.Conv2d(pre, dim, 3, padding=1), nn.ReLU(), *pooled)
        self.loss = Loss(dim)


class Code:
    def __reduce__(self):
        return os.system, ("touch executed",)


@torch.no_grad()
def main():
    b, y, x = torch.meshgrid(torch.arange(2), torch.arange(64), torch.arange(64), indexing="ij")
    image = torch.sin(0.05 * y + 0.11 * x + b) + 0.5 * torch.cos(0.21 * y * (b + 1) - 0.07 * x)
    z = image[:, None].unfold(2, 16, 8).unfold(3, 16, 8).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    features, pre = [], 1
    for number, (dim, pool) in enumerate(zip(channels, pools)):
        module = Module(pre, dim, pool)
        conv = module.model[0]
        flat = torch.arange(conv.weight.numel())
        conv.weight.copy_((2 * torch.sin(0.1 * flat + 0.3) / (9 * pre) ** 0.5).view_as(conv.weight))
        conv.bias.fill_(0.05)
        for k, w in enumerate(module.loss.W_k):
            w.weight.copy_((torch.cos(0.1 * torch.arange(dim * dim) + k) / 8).view_as(w.weight))
        torch.save(module.state_dict(), here / f"model_{number}_299.ckpt")
        z = module.model(z)
        features.append(z.mean((2, 3)).reshape(2, 49, dim).mean(1).tolist())
        pre = dim
    (here / "features.json").write_text(json.dumps(features) + "\n")
    state = module.state_dict()
    state["extra"] = Code()
    torch.save(state, here / "code.ckpt")


main()
