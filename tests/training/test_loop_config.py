"""Configurations to YAML and back, and one clear line for each thing that can be wrong in a file."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
import torch
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blender_addon.protocol.errors import InputError
from training.loop.config import LoopConfig
from training.loop.schedule import kept_share, learning_rate
from training.loop.yaml_config import (
    aside,
    config_text,
    deciding_text,
    differences,
    read_config,
    write_config,
)

from .toy import ToyRun


@dataclass(frozen=True)
class Inner:
    numbers: tuple[float, ...] = ()
    pair: tuple[int, str] = (1, "a")
    kind: Literal["one", "two"] = "one"


@dataclass(frozen=True)
class Outer:
    folder: Path
    on: bool = False
    count: int = 3
    share: float = 0.5
    note: str | None = None
    inner: Inner = field(default_factory=Inner)
    others: tuple[Inner, ...] = ()
    where: Path | None = aside(None)


numbers = st.floats(allow_nan=False)
texts = st.text(max_size=12)
inners = st.builds(
    Inner,
    numbers=st.lists(numbers, max_size=4).map(tuple),
    pair=st.tuples(st.integers(), texts),
    kind=st.sampled_from(["one", "two"]),
)
outers = st.builds(
    Outer,
    folder=texts.map(Path),
    on=st.booleans(),
    count=st.integers(),
    share=numbers,
    note=st.none() | texts,
    inner=inners,
    others=st.lists(inners, max_size=3).map(tuple),
    where=st.none() | texts.map(Path),
)


@settings(max_examples=40)
@given(outers)
@example(Outer(Path("a\x85b"), note="\x85 \u2028\n\t\ufeff", inner=Inner(pair=(0, "no"))))
def test_yaml_gives_back_what_was_written(tmp_path_factory, config):
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    write_config(path, config)
    assert read_config(Outer, path) == config
    assert differences(path, config) == []


@settings(max_examples=40)
@given(outers, outers)
def test_differences_name_the_keys_that_decide(tmp_path_factory, old, new):
    path = tmp_path_factory.getbasetemp() / "differences.yaml"
    write_config(path, old)
    told = {line.split(" ")[0] for line in differences(path, new)}
    names = ("folder", "on", "count", "share", "note", "others")
    inner = ("numbers", "pair", "kind")
    assert told == {n for n in names if getattr(old, n) != getattr(new, n)} | {
        f"inner.{n}" for n in inner if getattr(old.inner, n) != getattr(new.inner, n)
    }


@given(inners)
def test_another_reader_of_yaml_sees_the_same(config):
    tree = yaml.safe_load(config_text(config))
    assert tree == {"numbers": list(config.numbers), "pair": list(config.pair), "kind": config.kind}


def test_options_win_over_the_file_and_the_file_over_defaults(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("loop: {steps: 20, learning_rate: 1e-3, weight_decay: 0}\n")
    run = read_config(ToyRun, path, {"loop.steps": 30, "width": 5})
    assert run == ToyRun(5, loop=LoopConfig(steps=30, learning_rate=1e-3, weight_decay=0.0))
    assert isinstance(run.loop.weight_decay, float)


def test_what_a_file_does_not_name_keeps_the_default_of_the_whole(tmp_path):
    @dataclass(frozen=True)
    class Deep:
        outer: Outer = field(
            default_factory=lambda: Outer(Path("x"), count=7, inner=Inner((1.0, 2.0), (3, "c")))
        )

    path = tmp_path / "run.yaml"
    path.write_text("outer: {inner: {kind: two}}")
    deep = read_config(Deep, path, {"outer.share": 0.25})
    assert deep.outer == Outer(Path("x"), count=7, share=0.25, inner=Inner((1.0, 2.0), (3, "c"), "two"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loop: {stepz: 3}", "there is no setting loop.stepz"),
        ("loop: {steps: many}", "loop.steps must be a whole number, not 'many'"),
        ("loop: {steps: 3.5}", "loop.steps must be a whole number, not 3.5"),
        ("loop: {steps: true}", "loop.steps must be a whole number, not True"),
        ("loop: {learning_rate: fast}", "loop.learning_rate must be a number, not 'fast'"),
        ("loop: {learning_rate: no}", "loop.learning_rate must be a number, not False"),
        ("loop: {betas: 0.9}", "loop.betas must be a list, not 0.9"),
        ("loop: {betas: [0.9]}", "loop.betas must be a list of 2, not [0.9]"),
        ("loop: {betas: [0.9, x]}", "loop.betas[1] must be a number, not 'x'"),
        (
            "loop: {precision: half}",
            "loop.precision must be one of 32-true, bf16-mixed, 16-mixed, not 'half'",
        ),
        ("loop: {steps: 0}", "loop: steps must be 1 or more, not 0"),
        ("loop: {ema: .nan}", "loop: ema must be from 0 to 1, not nan"),
        ("loop: 5", "loop must be a map of settings, not 5"),
        ("loop:\n  steps: 3\n  steps: 4", "steps is given twice"),
        ("width: [1", "is not YAML"),
        ("- width", "is not a map of settings"),
        ("5: 6", "is not a map of settings"),
        ("width: !!python/name:os.system", "is not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_in_one_line(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_config(ToyRun, path, {"loop.seed": 1})
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_config(ToyRun, tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.yaml"):
        read_config(ToyRun, binary)
    with pytest.raises(InputError, match="the options: folder is missing"):
        read_config(Outer, None)


@pytest.mark.parametrize("changed", [{"ema": 1.5}, {"betas": (0.9, 1.0)}, {"minutes": 0.0}, {"nice": 20}])
def test_configurations_that_cannot_work_are_refused(changed):
    with pytest.raises(ValueError, match=next(iter(changed))):
        LoopConfig(**changed)


@given(st.integers(1, 60), st.integers(0, 40), st.floats(1e-4, 1.0), st.floats(0.0, 1.0))
def test_the_learning_rate_is_that_of_torch_schedulers(steps, warm_up, peak, final):
    config = LoopConfig(steps=warm_up + steps, warm_up=warm_up, learning_rate=peak, final_rate=final)
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=peak * final)
    expected = []
    for _ in range(steps):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        cosine.step()
    ramp = [peak * (i + 1) / warm_up for i in range(warm_up)]
    rates = [learning_rate(config, step) for step in range(config.steps)]
    assert rates == pytest.approx(ramp + expected, rel=1e-6, abs=1e-9)


def test_the_average_forgets_its_first_weights_soon_and_then_slowly():
    shares = [kept_share(0.998, step) for step in range(10_000)]
    assert shares[0] < 0.1
    assert shares == sorted(shares)
    assert shares[-1] == 0.998
    assert kept_share(0.0, 500) == 0.0


def test_a_card_says_nothing_of_one_machine():
    @dataclass(frozen=True)
    class Whole:
        inner: Outer

    tree = yaml.safe_load(deciding_text(Whole(Outer(Path("a"), where=Path("home")))))
    assert tree["inner"].keys() == {"folder", "on", "count", "share", "note", "inner", "others"}
    assert "device" not in yaml.safe_load(deciding_text(LoopConfig()))


def test_a_changed_default_is_a_difference(tmp_path):
    path = tmp_path / "old.yaml"
    write_config(path, Inner())
    path.write_text(path.read_text().replace("kind: one", "gone: 1"))
    assert differences(path, replace(Inner(), pair=(2, "a"))) == [
        "pair ([1, 'a'], now [2, 'a'])",
        "gone (1, now not set)",
        "kind (not set, now one)",
    ]
