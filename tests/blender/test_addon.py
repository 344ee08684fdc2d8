"""The built extension inside each Blender, against a backend whose motion is known."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from blender_addon.protocol.process import pid_alive

from .conftest import VERSIONS, Blender, own_folders

pytestmark = own_folders
SCENARIOS = (
    "install.nothing_is_left",
    "heads.create",
    "heads.rig",
    "heads.eyes",
    "head.bones_follow_the_pose",
    "head.strengths_scale_each_axis",
    "head.takes_have_their_own_heads",
    "head.reduces_the_head",
    "head.older_rigs_get_ready",
    "head_layers.strengths_rewrite_what_was_computed",
    "head_layers.locks_outlive_a_new_take",
    "head_layers.rerolls_the_head_in_a_range",
    "head_layers.rerolls_what_is_chosen_and_free",
    "head_layers.eyes_look_at_a_target",
    "head_layers.an_object_moves_instead",
    "head_layers.another_rig_moves_instead",
    "lips.detail",
    "lips.rewrites_only_what_changed",
    "lips.refreshes",
    "lips.another_take_starts_at_rest",
    "lips.counts_its_own_keys_only",
    "lips.refreshes_what_is_there",
    "lips.leaves_an_unedited_reduced_take",
    "surfaces.images_are_packed",
    "surfaces.a_second_head_shares_them",
    "surfaces.without_textures",
    "surfaces.cornea_lets_light_through",
    "surfaces.solid_view_shows_colors_and_gaze",
    "surfaces.skin_scatters_on_the_faces_scale",
    "jobs.streams",
    "jobs.stays_within_its_time",
    "jobs.reduces",
    "jobs.runs_without_interface",
    "jobs.cancels",
    "jobs.reports_a_failure",
    "jobs.survives_a_killed_backend",
    "jobs.stops_when_undone",
    "jobs.stops_when_the_head_is_deleted",
    "jobs.stops_on_ctrl_c",
    "jobs.writes_again_what_undo_took",
    "jobs.detaches_on_load",
    "jobs.keeps_an_artists_keys",
    "jobs.fills_in_around_keys_ahead",
    "jobs.reduces_around_keys_ahead",
    "jobs.leaves_nothing_when_the_link_is_over",
    "jobs.waits_for_a_render",
    "jobs.survives_renames_and_errors",
    "style.controls_go_with_the_job",
    "style.rerolls_brows",
    "style.rerolls_a_range",
    "style.a_reroll_that_fails_changes_nothing",
    "style.styles_from_references",
    "emotions.move_the_head",
    "emotions.are_keyed_over_time",
    "emotions.lips_are_solved_with_them",
    "emotions.go_with_takes",
    "emotions.are_added_to_older_heads",
    "takes.switch_rename_delete",
    "takes.save_and_reopen",
    "takes.save_a_copy",
    "takes.deletes_only_its_own",
    "takes.keeps_the_slot",
    "takes.demo_scene",
    "retarget.by_detected_map",
    "retarget.visemes_and_own_keys",
    "retarget.bones_and_properties",
    "retarget.says_why_not",
    "retarget.undo_and_reduced",
    "strips.frame_rates",
    "strips.start_frame_and_range",
    "strips.sound_is_added_once",
    "strips.trim_and_offset",
    "strips.hard_split",
    "strips.wrong_strips",
    "strips.sequencers_own_scene",
)
TOGETHER = (  # in one process: what takes time is making heads and starting backends
    "sampling.follows_correction_tracks,video.renders_changes_only,video.moves_at_the_first_save",
)
IN_ONE_VERSION = (  # what meets nothing that differs between versions
    "sampling.follows_edits_and_emotions,sampling.follows_bones_and_looks",
    "sampling.follows_an_object,sampling.sees_the_moment,video.renders_what_is_seen",
    "video.follows_another_length,video.sound_where_there_is_none,video.keeps_a_films_rate",
    "video.cancels_and_goes_on,video.ends_when_undone,video.says_why_not,video.survives_a_crash",
    "video.still_of_the_moment,video.head_of_a_portrait,video.portrait_of_an_image_strip",
)


@pytest.mark.parametrize("scenarios", TOGETHER)
def test_scenarios_hold(blender: Blender, scenarios: str, tmp_path: Path) -> None:
    said = blender.run(scenarios, tmp_path)
    for scenario in scenarios.split(","):
        assert f"{scenario} holds" in said


@pytest.mark.parametrize("blender", VERSIONS[1:2], indirect=True)
@pytest.mark.parametrize("scenarios", IN_ONE_VERSION)
def test_scenarios_hold_in_one_version(blender: Blender, scenarios: str, tmp_path: Path) -> None:
    test_scenarios_hold(blender, scenarios, tmp_path)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario_holds(blender: Blender, scenario: str, tmp_path: Path) -> None:
    said = blender.run(scenario, tmp_path)
    missing = re.search(r"^skipped: (.*)", said, re.MULTILINE)
    if missing:
        pytest.skip(missing[1])
    assert f"{scenario} holds" in said


def test_killed_blender_leaves_no_backend(blender: Blender, tmp_path: Path) -> None:
    done = blender.start("jobs.dies", tmp_path)
    assert done.returncode == -signal.SIGKILL, done.stdout
    found = re.search(r"backend (\d+)", done.stdout)
    assert found
    deadline = time.monotonic() + 10.0
    while pid_alive(int(found[1])):
        assert time.monotonic() < deadline, "the backend still runs 10 s after Blender was killed"
        time.sleep(0.1)
