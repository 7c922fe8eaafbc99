"""The network of `im2latex_jax.model`, written plainly in PyTorch, to compare with.

What does not depend on the previous step is outside the loop over the steps here too. Images keep
their channels last, which is the faster way on a CPU. No dropout. Imports nothing of this project:
it also runs in an environment that has PyTorch only.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

PAD = 0
EPSILON = 0.01  # of the layer norms


def _tensor(array) -> Tensor:
    return torch.from_numpy(np.array(array))


def _linear(params: Mapping[str, Any]) -> nn.Linear:
    inputs, outputs = params["kernel"].shape
    layer = nn.Linear(inputs, outputs)
    layer.weight.data = _tensor(params["kernel"]).T.contiguous()
    layer.bias.data = _tensor(params["bias"])
    return layer


def _norm(params: Mapping[str, Any]) -> nn.LayerNorm:
    layer = nn.LayerNorm(len(params["scale"]), eps=EPSILON)
    layer.weight.data = _tensor(params["scale"])
    layer.bias.data = _tensor(params["bias"])
    return layer


def _positions(height: int, width: int, channels: int) -> Tensor:
    """Sinusoids of row and column, [height, width, channels]."""
    quarter = channels // 4
    frequency = 1.0 / 1000.0 ** (np.arange(quarter) / quarter)
    grid = np.zeros((height, width, channels), np.float32)
    for axis, length in enumerate((height, width)):
        angle = np.arange(length)[:, None] * frequency
        waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=-1)
        part = grid[..., 2 * axis * quarter : 2 * (axis + 1) * quarter]
        part[:] = waves[:, None] if axis == 0 else waves[None]
    return torch.from_numpy(grid)


class Convolution(nn.Module):
    """3 x 3, on [B, h, w, C]."""

    def __init__(self, params: Mapping[str, Any]):
        super().__init__()
        *_, inputs, outputs = params["kernel"].shape
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.convolution.weight.data = _tensor(params["kernel"]).permute(3, 2, 0, 1).contiguous()
        self.convolution.bias.data = _tensor(params["bias"])
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolution(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ResidualBlock(nn.Module):
    def __init__(self, params: Mapping[str, Any]):
        super().__init__()
        self.first, self.second = Convolution(params["Conv_0"]), Convolution(params["Conv_1"])

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.first(functional.relu(x) * mask)
        return x + self.second(functional.relu(y) * mask)


class Encoder(nn.Module):
    def __init__(self, settings: Mapping[str, Any], params: Mapping[str, Any]):
        super().__init__()
        self.strides = settings["strides"]
        self.inputs, self.norms, self.blocks = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        stems = blocks = layers = 0
        channels = 1
        for features, count, (rows, columns) in zip(
            settings["features"], settings["blocks"], self.strides, strict=True
        ):
            if channels * rows * columns <= features:
                self.inputs.append(Convolution(params[f"Conv_{stems}"]))
                stems += 1
            else:
                self.inputs.append(_linear(params[f"Dense_{layers}"]))
                layers += 1
            self.norms.append(_norm(params[f"LayerNorm_{len(self.norms)}"]))
            part = [ResidualBlock(params[f"ResidualBlock_{blocks + k}"]) for k in range(count)]
            self.blocks.append(nn.ModuleList(part))
            blocks += count
            channels = features
        self.last = _norm(params[f"LayerNorm_{len(self.norms)}"])

    def forward(self, images: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        x = images.float() / 255
        rows = columns = 1
        for (high, wide), layer, norm, blocks in zip(
            self.strides, self.inputs, self.norms, self.blocks, strict=True
        ):
            batch, height, width, channels = x.shape
            x = x.reshape(batch, height // high, high, width // wide, wide, channels)
            x = x.permute(0, 1, 3, 2, 4, 5).reshape(batch, height // high, width // wide, -1)
            rows, columns = rows * high, columns * wide
            inside = torch.arange(x.shape[1]) * rows < sizes[:, :1]
            within = torch.arange(x.shape[2]) * columns < sizes[:, 1:]
            mask = (inside[:, :, None] & within[:, None, :])[..., None].float()
            x = norm(layer(x * mask))
            for block in blocks:
                x = block(x, mask)
        x = self.last(x)
        batch, height, width, channels = x.shape
        x = (x + _positions(height, width, channels)) * mask
        return x.reshape(batch, height * width, channels), mask.reshape(batch, -1) > 0


class Decoder(nn.Module):
    def __init__(self, params: Mapping[str, Any]):
        super().__init__()
        self.embed = nn.Embedding.from_pretrained(
            _tensor(params["embed"]["embedding"]), freeze=False
        )
        for name in ("initial_state", "keys", "token_gates", "output_features", "output_logits"):
            setattr(self, name, _linear(params[name]))
        self.w_c, self.w_h, self.b_h, self.w_q, self.v = (
            nn.Parameter(_tensor(params[name]))
            for name in ("context_gates", "state_gates", "state_bias", "query", "score")
        )

    def forward(self, memory: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
        keys = self.keys(memory)
        summary = memory.sum(1) / mask.sum(1, keepdim=True)
        h, c = torch.tanh(self.initial_state(summary)), torch.zeros_like(summary)
        embedded = self.embed(tokens)
        hidden, contexts = [], []
        for x in self.token_gates(embedded).unbind(1):
            g_r, g_z, g_n = (x + c @ self.w_c).chunk(3, -1)
            u_r, u_z, u_n = torch.addmm(self.b_h, h, self.w_h).chunk(3, -1)
            r, z = torch.sigmoid(g_r + u_r), torch.sigmoid(g_z + u_z)
            n = torch.tanh(g_n + r * u_n)
            h = (1 - z) * n + z * h
            scores = torch.tanh((h @ self.w_q)[:, None] + keys) @ self.v
            weights = torch.softmax(scores.masked_fill(~mask, -torch.inf), -1)
            c = torch.bmm(weights[:, None], memory)[:, 0]
            hidden.append(h)
            contexts.append(c)
        features = [torch.stack(hidden, 1), torch.stack(contexts, 1), embedded]
        return self.output_logits(torch.tanh(self.output_features(torch.cat(features, -1))))


class Im2Latex(nn.Module):
    """The network with a copy of Flax parameters; to the logits [B, T, V].

    `settings` has the encoder's `features`, `blocks` and `strides`.
    """

    def __init__(self, settings: Mapping[str, Any], params: Mapping[str, Any]):
        super().__init__()
        self.encoder = Encoder(settings, params["encoder"])
        self.decoder = Decoder(params["decoder"])

    def forward(self, images: Tensor, sizes: Tensor, tokens: Tensor) -> Tensor:
        return self.decoder(*self.encoder(images, sizes), tokens)


def loss(logits: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    """The mean cross-entropy of the tokens that are not padding."""
    return functional.cross_entropy(
        logits.flatten(0, 1),
        targets.flatten().long(),
        ignore_index=PAD,
        label_smoothing=smoothing,
    )
