"""The commands `vividtalk train ...`. Thin, as the rest of the command line."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from backend.console import FILE, progress


@click.group()
def train() -> None:
    """Train the models that VividTalk ships, or your own."""


@train.command("expression")
@click.option("--corpus", type=FILE, required=True, help="Folder of the corpus; built there when it is new.")
@click.option("-o", "--output", type=FILE, required=True, help="Folder for the checkpoints.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--minutes", type=float, default=30.0, show_default=True, help="Wall-clock time of the training."
)
@click.option("--steps", type=int, help="Train for so many steps instead.")
@click.option("--threads", type=int, default=1, show_default=True, help="CPU threads.")
def train_expression(
    corpus: Path, output: Path, seed: int, minutes: float, steps: int | None, threads: int
) -> None:
    """Train the voice-to-expression network on offline speech with known phone times."""
    from training.corpus.build import CorpusConfig, build_corpus
    from training.expression import TrainConfig, train

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = TrainConfig(corpus, output, seed=seed, minutes=minutes, steps=steps, threads=threads)
    if not corpus.exists():
        with progress("Rendering the corpus", None):
            build_corpus(CorpusConfig(corpus))
    result = train(config)
    click.echo(f"{result.checkpoint}: development score {result.development:.4f} at step {result.best_step}")
