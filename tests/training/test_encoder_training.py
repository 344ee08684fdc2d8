"""Training on a pretrained encoder's features: a tiny WavLM with random weights (untrained)."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.audio.features import FeatureConfig, feature_source
from models.expression.checkpoint import read_checkpoint
from training.batches import BatchConfig, make_batch
from training.expression import ExpressionRun, ExpressionTask, smoke_run, training_pool
from training.loop.config import LoopConfig
from training.loop.fit import fit

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    torch.manual_seed(0)
    config = transformers.WavLMConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8,) * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=2,
    )
    folder = tmp_path_factory.mktemp("wavlm")
    transformers.WavLMModel(config).save_pretrained(folder)
    return FeatureConfig("transformers", str(folder))


def test_a_batch_has_what_the_encoder_says_of_its_scenes(corpus, features):
    source, config = feature_source(features), BatchConfig(scenes=2, frames=60, solved=2)
    pool = training_pool(corpus)
    plain, heard = (make_batch(pool, config, np.random.default_rng(4), *given) for given in ((), (source,)))
    assert plain.features.shape == (2, 120, 80)
    assert heard.features.shape == (2, 60, 16)
    assert heard.features.std() > 0.1


def test_a_network_is_trained_on_it_and_says_so(corpus, features, tmp_path):
    run = smoke_run(
        ExpressionRun(
            corpus, LoopConfig(precision="32-true"), hearing_steps=2, hearing_scenes=12, features=features
        )
    )
    run = replace(run, development_share=5)
    checkpoint = read_checkpoint(fit(ExpressionTask(run), run, tmp_path).weights)
    assert checkpoint.config.features == features
    assert (checkpoint.source.width, checkpoint.source.per_frame) == (16, 1)
