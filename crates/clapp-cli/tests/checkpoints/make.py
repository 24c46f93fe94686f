"""Writes state dicts as the authors' code does, by PyTorch: VGG-6 of a few channels, a module a file.

model_{0..5}_299.ckpt   weights by formula, W_k[c, z] = cos(0.1 (c dim z + z) + k) / 8
features.json           of every module, mean over the map and all patches, of two images
code.ckpt               one of them that would run a command if it were unpickled
views/network.ckpt      CLAPP++ with feedback as well ("both"), as one state dict of a network on many devices
views/model_{0..5}_9.ckpt, loss_9.ckpt   the same with the feedback alone (DFB)
views/features.json     of every module, means over cells (row, column, channel), of two images; and scores zᵀBc of the
                        first image's z and the second's c
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


class Views(nn.Module):
    channels, grids = [1, 2, 3, 2, 3, 2], [8, 4, 4, 4, 2, 2]

    def __init__(self):
        super().__init__()
        self.encoder, pre = nn.ModuleList(), 3
        for dim, pool in zip(self.channels, pools):
            pooled = [nn.MaxPool2d(2)] if pool else []
            module = nn.Module()
            module.model = nn.Sequential(nn.Conv2d(pre, dim, 3, padding=1), nn.ReLU(), *pooled)
            self.encoder.append(module)
            pre = dim
        dims = [dim * grid**2 for dim, grid in zip(self.channels, self.grids)]
        self.loss, self.loss_lateral = nn.Module(), nn.Module()
        self.loss.W_k = nn.ModuleList(nn.Linear(dims[-1], dim, bias=False) for dim in dims)
        self.loss_lateral.W_k = nn.ModuleList(nn.Linear(dim, dim, bias=False) for dim in dims)


@torch.no_grad()
def views():
    folder, net = here / "views", Views()
    folder.mkdir(exist_ok=True)
    for seed, weight in enumerate(net.parameters()):
        flat = torch.arange(weight.numel())
        weight.copy_(((torch.sin(0.7 * flat + seed) + 0.3) / weight[0].numel() ** 0.5).view_as(weight))
    many = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
    torch.save(many, folder / "network.ckpt")
    torch.save(net.loss.state_dict(), folder / "loss_9.ckpt")
    b, k, y, x = torch.meshgrid(*map(torch.arange, (2, 3, 96, 96)), indexing="ij")
    h = torch.sin(0.05 * y + 0.11 * x + b + k) + 0.5 * torch.cos(0.21 * y * (b + 1) - 0.07 * x)
    cells = []
    for number, (module, grid) in enumerate(zip(net.encoder, net.grids)):
        torch.save(module.state_dict(), folder / f"model_{number}_9.ckpt")
        h = module.model(h)
        cells.append(nn.functional.adaptive_avg_pool2d(h, grid))
    flat = [z.flatten(1) for z in cells]
    scores = {
        "feedback": [(z[0] @ w(flat[-1][1])).item() for z, w in zip(flat, net.loss.W_k)],
        "lateral": [(z[0] @ w(z[1])).item() for z, w in zip(flat, net.loss_lateral.W_k)],
    }
    features = [z.permute(0, 2, 3, 1).flatten(1).tolist() for z in cells]
    text = json.dumps({"features": features, "scores": scores})
    (folder / "features.json").write_text(text + "\n")


main()
views()
