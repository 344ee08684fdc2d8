"""The shipped network without PyTorch: the same numbers from NumPy alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from blender_addon.protocol.arkit import LIP_NAMES
from blender_addon.protocol.tensorfile import read_tensors
from models.expression.checkpoint import HEADER_KEY, read_checkpoint
from models.expression.model import DEFAULT_WEIGHTS
from models.expression.network import STYLE_SIZE
from models.expression.noise import NOISE_CHANNELS

from .plain_network import JAW_OPEN, MOUTH_CLOSE, PlainNetwork

FRAMES = 120


def test_numpy_draws_what_pytorch_draws():
    content, checkpoint = read_tensors(DEFAULT_WEIGHTS), read_checkpoint(DEFAULT_WEIGHTS)
    rng = np.random.default_rng(0)
    features = rng.uniform(-3.0, 1.3, (2 * FRAMES, checkpoint.config.feature_width)).astype(np.float32)
    style, noise = (
        rng.standard_normal(size).astype(np.float32) for size in (STYLE_SIZE, (FRAMES, NOISE_CHANNELS))
    )
    with torch.no_grad():
        expected = checkpoint.network(*(torch.from_numpy(part)[None] for part in (features, style, noise)))
    found = PlainNetwork(content.tensors, content.metadata[HEADER_KEY])(features, style, noise)
    assert (LIP_NAMES[JAW_OPEN], LIP_NAMES[MOUTH_CLOSE]) == ("jawOpen", "mouthClose")
    for name, values in found.items():
        np.testing.assert_allclose(
            values, getattr(expected, name)[0].numpy(), atol=1e-4, rtol=1e-4, err_msg=name
        )


def test_it_needs_numpy_alone():
    folder = Path(__file__).parent
    code = "import sys, plain_network; assert 'torch' not in sys.modules and 'models' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=60)
    assert len((folder / "plain_network.py").read_text().splitlines()) < 150
