"""The parallel network in NumPy alone, from the weights file: proof that a runtime without PyTorch is small.

Operators: product of matrices, convolution (products of shifted rows), addition, GELU, layer norm, softmax,
sigmoid. Nothing of the product is imported.
"""

import json
import math

import numpy as np

Array = np.ndarray
JAW_OPEN, MOUTH_CLOSE = 3, 4  # columns of the lip weights
_ERF = np.vectorize(math.erf, otypes=[np.float32])


def gelu(x: Array) -> Array:
    return x * 0.5 * (1.0 + _ERF(x / math.sqrt(2.0)))


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x: Array) -> Array:
    raised = np.exp(x - x.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)


class PlainNetwork:
    """Weights by name, and what to do with them; one sound at a time, frames first."""

    def __init__(self, tensors: dict[str, Array], header: str) -> None:
        self.weights = {name: values.astype(np.float32) for name, values in tensors.items()}
        self.config = json.loads(header)["config"]

    def __call__(self, features: Array, style: Array, noise: Array) -> dict[str, Array]:
        """[2F, 80] features, [S] style, [F, N] noise -> lip, other, offsets, contacts, phones [F, ...]."""
        heard = gelu(self.convolved("encoder.listen", features, 1))
        frames = gelu(self.convolved("encoder.thin", heard, self.config["features_per_frame"]))
        for i, (kernel, dilation) in enumerate(self.config["trunk"]):
            frames = self.block(f"encoder.trunk.{i}", frames, kernel, dilation)
        phones = self.linear("encoder.phones", frames)
        shared = frames + self.linear("encoder.recall", softmax(phones)) + self.linear("style", style)
        for i, (kernel, dilation) in enumerate(self.config["tail"]):
            shared = self.block(f"tail.{i}", shared, kernel, dilation)
        contacts, lip = self.branch("contacts", shared), sigmoid(self.branch("lip", shared))
        lip[:, MOUTH_CLOSE] = lip[:, JAW_OPEN] * sigmoid(contacts[:, 0])
        other = sigmoid(self.branch("other", shared + self.linear("noise", noise)))
        offsets = self.branch("offsets", shared)
        return {"lip": lip, "other": other, "offsets": offsets, "contacts": contacts, "phones": phones}

    def linear(self, name: str, x: Array) -> Array:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(-1, keepdims=True) + 1e-5)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def convolved(self, name: str, x: Array, stride: int) -> Array:
        """[T, I] -> [T / stride, O] by weights [O, I, K], as long as the sound."""
        taps = self.weights[f"{name}.weight"]
        reach = taps.shape[2] // 2
        padded = np.pad(x, ((reach, reach), (0, 0)))
        rows = sum(padded[k : k + len(x)] @ taps[:, :, k].T for k in range(taps.shape[2]))
        return rows[::stride] + self.weights[f"{name}.bias"]

    def block(self, name: str, x: Array, kernel: int, dilation: int) -> Array:
        reach, taps = dilation * (kernel // 2), self.weights[f"{name}.taps"]
        padded = np.pad(x, ((reach, reach), (0, 0)))
        mixed = sum(padded[k * dilation : k * dilation + len(x)] * taps[k] for k in range(kernel))
        return x + self.linear(
            f"{name}.narrow", gelu(self.linear(f"{name}.widen", self.norm(f"{name}.norm", mixed)))
        )

    def branch(self, name: str, x: Array) -> Array:
        inner = f"{name}.attend"
        x = x + self.linear(f"{inner}.mix", self.attended(inner, self.norm(f"{inner}.before", x)))
        widened = gelu(self.linear(f"{inner}.widen", self.norm(f"{inner}.between", x)))
        x = x + self.linear(f"{inner}.narrow", widened)
        return self.linear(f"{name}.out", self.norm(f"{name}.norm", x))

    def attended(self, name: str, x: Array) -> Array:
        """Every frame looks at the `reach` frames on each side of it."""
        heads, reach, width = self.config["heads"], self.config["reach"], x.shape[1]
        parts = self.linear(f"{name}.gather", x).reshape(len(x), 3, heads, width // heads)
        query, key, value = parts.transpose(1, 2, 0, 3)  # [H, F, D / H]
        away = np.arange(len(x))[None] - np.arange(len(x))[:, None]
        bias = self.weights[f"{name}.nearness"][:, np.clip(away + reach, 0, 2 * reach)]
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(width // heads) + bias
        mixed = softmax(np.where(np.abs(away) <= reach, scores, -np.inf)) @ value
        return mixed.transpose(1, 0, 2).reshape(len(x), width)
