"""A pose model whose small networks were never trained: its poses are noise, all else is as ever."""

from __future__ import annotations

import torch

from models.pose import PoseModel
from models.pose.checkpoint import CodebookCheckpoint, MapperCheckpoint, PoseIdentity, Sampling, digest
from models.pose.mapper import MapperConfig, MapperNetwork
from models.pose.network import CodebookConfig, PoseCodec


def drawn_pose_model(seed: int = 0) -> PoseModel:
    """The model that `seed` draws."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    codec = PoseCodec(CodebookConfig(channels=8, blocks=1, width=8)).eval().requires_grad_(False)
    config = MapperConfig(channels=8, layers=1, heads=2, past=8, width=8)
    network = MapperNetwork(config).eval().requires_grad_(False)
    torch.random.set_rng_state(state)
    codebook = CodebookCheckpoint(codec, PoseIdentity("drawn-codebook", "CC0-1.0"))
    mapper = MapperCheckpoint(network, PoseIdentity("drawn-mapper", "CC0-1.0"), Sampling(), digest(codec))
    return PoseModel(codebook, mapper)
