"""Two networks side by side on a tiny manifest: the figures are theirs."""

import json

import numpy as np
import soundfile
import torch

from models.expression import ExpressionModel
from models.expression.checkpoint import Checkpoint, ModelIdentity, write_checkpoint
from models.expression.network import ExpressionConfig, ExpressionNetwork
from training.evaluate.variants import compare_variants, format_variants
from training.phones import PHONE_CLASSES

from .conftest import sentence


def test_figures_are_those_of_each_network(tmp_path):
    rows = []
    for i in range(2):
        spoken = sentence(i)
        soundfile.write(tmp_path / f"{i}.wav", np.clip(spoken.samples, -1, 1), 16000)
        phones = [list(one) for one in spoken.segments]
        rows.append({"id": str(i), "wav": f"{i}.wav", "dur": 2.0, "system": "classes", "phones": phones})
    (tmp_path / "clips.jsonl").write_text("\n".join(map(json.dumps, rows)))
    paths = []
    for channels in (8, 16):
        torch.manual_seed(0)
        shape = ExpressionConfig(PHONE_CLASSES, channels=channels)
        paths.append(tmp_path / f"{channels}.safetensors")
        identity = ModelIdentity(f"width-{channels}", "CC0-1.0")
        write_checkpoint(paths[-1], Checkpoint(ExpressionNetwork(shape), shape, identity))
    found = compare_variants(tmp_path / "clips.jsonl", paths)
    assert [one.model_id for one in found] == ["width-8", "width-16"]
    assert found[0].parameters < found[1].parameters
    assert found[0].look_ahead == ExpressionModel.load(paths[0]).look_ahead
    assert min(one.speed for one in found) > 1.0
    assert found[0].scores.clips == 2
    table = format_variants(found).splitlines()
    assert {line.count("|") for line in table} == {4}
