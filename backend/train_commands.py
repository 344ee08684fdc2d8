"""The commands `vividtalk train ...`. Thin, as the rest of the command line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from backend.console import FILE, progress

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., Any])

_SETTINGS = "vividtalk.train.settings"  # where options wait for the configuration that they change


@click.group()
def train() -> None:
    """Train the models that VividTalk ships, or your own."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


def _setting(key: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(context: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            context.meta.setdefault(_SETTINGS, {})[key] = value

    return keep


def _assignments(context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> None:
    for text in values:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE")
        from training.loop.yaml_config import parse_value

        context.meta.setdefault(_SETTINGS, {})[key] = parse_value(value)


def _setting_option(flag: str, key: str, kind: Any, text: str) -> Callable[[Command], Command]:
    return click.option(flag, type=kind, expose_value=False, callback=_setting(key), help=text)


_RUN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("-o", "--output", type=FILE, default=Path("run"), show_default=True, help="Run folder."),
    click.option("--config", type=FILE, help="Settings (YAML); options win over them."),
    _setting_option("--seed", "loop.seed", int, "Seed of everything that is drawn."),
    _setting_option("--steps", "loop.steps", int, "Updates of the weights."),
    _setting_option("--threads", "loop.threads", int, "CPU threads."),
    click.option(
        "--set",
        multiple=True,
        metavar="KEY=VALUE",
        expose_value=False,
        callback=_assignments,
        help="Any other setting, as loop.precision=bf16-mixed.",
    ),
    click.option("--smoke", is_flag=True, help="A run of seconds that passes through everything."),
    click.option("--print-config", is_flag=True, help="Print the settings as YAML and stop."),
)


def run_options(command: Command) -> Command:
    """The options that every training has."""
    for option in reversed(_RUN_OPTIONS):
        command = option(command)
    return command


_POSE_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    _setting_option(
        "--bank", "bank", FILE, "Folder of the motion that is learned from; made when it is new."
    ),
    _setting_option("--corpus", "corpus", FILE, "Folder of the corpus; built there when it is new."),
    _setting_option(
        "--clips", "clips", FILE, "Folder of tracked motion clips with sounds, instead of a corpus."
    ),
    _setting_option("--from", "source", FILE, "Weights to start from."),
)


def _pose_options(command: Command) -> Command:
    for option in reversed(_POSE_OPTIONS):
        command = option(command)
    return command


def _configured(kind: type[T], context: click.Context, config: Path | None) -> T:
    from training.loop.yaml_config import read_config

    return read_config(kind, config, context.meta.get(_SETTINGS, {}))


@train.command("expression")
@_setting_option("--corpus", "corpus", FILE, "Folder of the corpus; built there when it is new.")
@_setting_option("--clips", "clips", FILE, "Folder of motion clips with their sounds, heard as well.")
@_setting_option("--from", "start", FILE, "Weights to start from, of this or of a shallower network.")
@click.option(
    "--variant",
    type=click.Choice(("parallel", "autoregressive")),
    default="parallel",
    show_default=True,
    help="Draw all frames at once, or each after the one before it with a parallel network's encoder.",
)
@run_options
@click.pass_context
def train_expression(
    context: click.Context, variant: str, output: Path, config: Path | None, smoke: bool, print_config: bool
) -> None:
    """Train the voice-to-expression network on offline speech with known phone times.

    The same command goes on with a run that was interrupted.
    """
    kind, task, shortened = _expression_variant(variant)
    run = _configured(kind, context, config)
    _run_on_corpus(task, shortened(run) if smoke else run, output, print_config)


@train.command("sync")
@_setting_option("--corpus", "corpus", FILE, "Folder of the corpus; built there when it is new.")
@run_options
@click.pass_context
def train_sync(
    context: click.Context, output: Path, config: Path | None, smoke: bool, print_config: bool
) -> None:
    """Train the sync expert on speech with known phone times.

    The same command goes on with a run that was interrupted.
    """
    from training.sync import SyncRun, SyncTask, smoke_run

    run = _configured(SyncRun, context, config)
    _run_on_corpus(SyncTask, smoke_run(run) if smoke else run, output, print_config)


@train.command("pose-codebook")
@_pose_options
@run_options
@click.pass_context
def train_pose_codebook(
    context: click.Context, output: Path, config: Path | None, smoke: bool, print_config: bool
) -> None:
    """Train the codebook of head motion, on tracked clips or on a synthetic prior of conversation.

    The same command goes on with a run that was interrupted.
    """
    from training.pose.codebook import CodebookRun, CodebookTask, smoke_run

    run = _configured(CodebookRun, context, config)
    _run_on_motion(CodebookTask, smoke_run(run) if smoke else run, output, print_config)


@train.command("pose-mapper")
@_pose_options
@_setting_option("--codebook", "codebook", FILE, "Weights of the codebook; the shipped ones by default.")
@run_options
@click.pass_context
def train_pose_mapper(
    context: click.Context, output: Path, config: Path | None, smoke: bool, print_config: bool
) -> None:
    """Train what chooses head motion from a codebook by the voice.

    The same command goes on with a run that was interrupted.
    """
    from training.pose.mapper import MapperRun, MapperTask, smoke_run

    run = _configured(MapperRun, context, config)
    _run_on_motion(MapperTask, smoke_run(run) if smoke else run, output, print_config)


def _run_on_motion(task: Callable[[Any], Any], run: Any, output: Path, print_config: bool) -> None:
    heard = run.clips is None and not run.bank.exists()
    _run_on_corpus(task, run, output, print_config, heard)


def _run_on_corpus(
    task: Callable[[Any], Any], run: Any, output: Path, print_config: bool, heard: bool = True
) -> None:
    """Train, on a corpus that is built first where it is `heard` and not there."""
    from training.loop.yaml_config import config_text

    if print_config:
        click.echo(config_text(run), nl=False)
        return
    if heard:
        _build_corpus_of(run.corpus)
    _train(task(run), run, output)


def _expression_variant(name: str) -> tuple[type[Any], Callable[[Any], Any], Callable[[Any], Any]]:
    """Configuration of a run, its task, and what makes it short."""
    if name == "autoregressive":
        from training.autoregressive import AutoregressiveRun, AutoregressiveTask, smoke_run

        return AutoregressiveRun, AutoregressiveTask, smoke_run
    from training.expression import ExpressionRun, ExpressionTask
    from training.expression import smoke_run as shortened

    return ExpressionRun, ExpressionTask, shortened


@train.command("corpus")
@click.option("-o", "--output", type=FILE, default=Path("corpus"), show_default=True, help="New folder.")
@_setting_option("--minutes", "minutes", float, "Minutes of speech in all.")
@click.option("--smallest", is_flag=True, help="A few minutes, to see that everything works.")
@click.option("--clips", type=FILE, help="Write it as motion clips with their sounds, too, to this folder.")
@click.option("--config", type=FILE, help="Settings (YAML).")
@click.option(
    "--set", multiple=True, metavar="KEY=VALUE", expose_value=False, callback=_assignments, help="A setting."
)
@click.option("--print-config", is_flag=True, help="Print the settings as YAML and stop.")
@click.pass_context
def train_corpus(
    context: click.Context,
    output: Path,
    smallest: bool,
    clips: Path | None,
    config: Path | None,
    print_config: bool,
) -> None:
    """Render the speech that the voice-to-expression network learns from, as much as the settings say.

    The same command goes on where it was interrupted.
    """
    from training.corpus.build import SMALLEST, CorpusConfig
    from training.loop.yaml_config import config_text

    context.meta.setdefault(_SETTINGS, {})["out"] = output
    if smallest:
        context.meta[_SETTINGS]["minutes"] = SMALLEST
    settings = _configured(CorpusConfig, context, config)
    if print_config:
        click.echo(config_text(settings), nl=False)
        return
    _build_corpus(settings)
    _print_summary(output)
    if clips is not None:
        from training.dataset import write_corpus_clips

        click.echo(f"{clips}: {write_corpus_clips(clips, output)} clips")


def _build_corpus_of(folder: Path) -> None:
    """Render what is missing of a corpus; one that was begun with other minutes stays at those."""
    from training.corpus.build import needs_building, settings_of

    if needs_building(folder):
        _build_corpus(settings_of(folder))


def _build_corpus(settings: Any) -> None:
    from training.corpus.build import build_corpus

    with progress("Rendering the corpus", round(settings.minutes * 60)) as advance:
        build_corpus(settings, advance)


def _print_summary(folder: Path) -> None:
    from training.corpus.build import summary

    for source in summary(folder):
        minutes = sum(source.minutes.values())
        languages = ", ".join(f"{name} {length:.1f}" for name, length in source.minutes.items())
        click.echo(f"{source.name:12} {minutes:6.1f} minutes, {source.voices:3} voices: {languages}")


def _train(task: Any, run: Any, output: Path) -> None:
    from training.loop.fit import fit

    result = fit(task, run, output)
    if result.step < result.steps:
        click.echo(f"{output}: stopped after step {result.step} of {result.steps}; the same command goes on")
    elif result.best is not None:
        click.echo(f"{result.weights}: score {result.best.score:.4f}, kept from step {result.best.step}")
