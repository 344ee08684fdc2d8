"""The built extension inside each Blender, against a backend whose motion is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Blender

SCENARIOS = (
    "install.nothing_is_left",
    "heads.create",
    "heads.rig",
    "heads.eyes",
    "jobs.streams",
    "jobs.runs_without_interface",
    "jobs.cancels",
    "jobs.reports_a_failure",
    "jobs.survives_a_killed_backend",
    "jobs.stops_when_undone",
    "jobs.writes_again_what_undo_took",
    "jobs.detaches_on_load",
    "jobs.keeps_an_artists_keys",
    "takes.switch_rename_delete",
    "takes.save_and_reopen",
    "takes.demo_scene",
    "strips.frame_rates",
    "strips.start_frame_and_range",
    "strips.sound_is_added_once",
    "strips.trim_and_offset",
    "strips.wrong_strips",
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_holds(blender: Blender, scenario: str, tmp_path: Path) -> None:
    assert f"{scenario} holds" in blender.run(scenario, tmp_path)
