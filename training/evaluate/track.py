"""A tracked face beside the truth: a film of our own head, whose motion is known to the vertex."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial.transform import Rotation

from blender_addon.protocol.arkit import ARKIT_INDEX, LIP_SHAPES, OTHER_SHAPES
from blender_addon.protocol.clip import MotionClip
from blender_addon.protocol.face import FaceFile
from blender_addon.protocol.tensorfile import Array
from models.portrait.track import FaceTrack, posed_camera
from models.render.camera import Pinhole

_SMILE = ("mouthSmileLeft", "mouthSmileRight")
_BLINK = ("eyeBlinkLeft", "eyeBlinkRight")
_CLOSED, _NEARLY, _OPEN = 0.5e-3, 1.2e-3, 2e-3  # metres of lip gap: what counts as shut, as found, as open
_SHUT = 0.5  # eyeBlink that counts as a blink
_LAGS = 4  # frames


@dataclass(frozen=True)
class TrackScores:
    """How far a track is from the truth. Errors are means over frames.

    Attributes:
        seen: share of frames.
        rotation: degrees, of the head before the camera; motion: the same without the constant part.
        sideways: metres the head is off across the view, without the constant part; depth: along it.
        jaw, blink, smile: of these weights; lips, others: of the 29 of the mouth and the 23 others.
        gap: metres, of the distance between the lips; gap_match: its correlation with the truth.
        gap_lag, pose_lag: frames, positive where the track is late.
        pose_match: least correlation of pitch, roll and yaw.
        closures, found_closures: times that the lips shut between two openings, and those found.
        blinks, found_blinks: the same of the eyes.
        gaze: degrees, where the eyes are open.
    """

    seen: float
    rotation: float
    motion: float
    sideways: float
    depth: float
    jaw: float
    blink: float
    smile: float
    lips: float
    others: float
    gap: float
    gap_match: float
    gap_lag: float
    pose_match: float
    pose_lag: float
    closures: int
    found_closures: int
    blinks: int
    found_blinks: int
    gaze: float


def compare_track(face: FaceFile, clip: MotionClip, camera: Pinhole, track: FaceTrack) -> TrackScores:
    """Score `track`, which has one frame for each of `clip`: `face` acts it, seen at rest by `camera`."""
    frames = track.frames
    heads = [posed_camera(camera, face.pivot, clip.pose[f]) for f in range(frames)]
    found = [track.camera_at(f) for f in range(frames)]
    turns = Rotation.from_matrix([b.rotation @ a.rotation.T for a, b in zip(heads, found, strict=True)])
    centred = turns * turns.mean().inv()
    places = np.array([_eyes(b, track.face) - _eyes(a, face) for a, b in zip(heads, found, strict=True)])
    places = np.abs(places - places.mean(0))
    off = np.abs(track.weights - clip.weights)
    gaps = lip_gap(face, clip.weights, clip.lip), lip_gap(track.face, track.weights, track.lip)
    pairs = [(clip.pose[:, k], track.pose[:, k]) for k in range(3)]
    shut = [w[:, [ARKIT_INDEX[n] for n in _BLINK]].mean(1) for w in (clip.weights, track.weights)]
    open_eyes = shut[0] < _SHUT / 2
    return TrackScores(
        seen=float(track.seen.mean()),
        rotation=float(np.degrees(turns.magnitude().mean())),
        motion=float(np.degrees(centred.magnitude().mean())),
        sideways=float(places[:, :2].mean()),
        depth=float(places[:, 2].mean()),
        jaw=float(off[:, ARKIT_INDEX["jawOpen"]].mean()),
        blink=float(off[:, [ARKIT_INDEX[n] for n in _BLINK]].mean()),
        smile=float(off[:, [ARKIT_INDEX[n] for n in _SMILE]].mean()),
        lips=float(off[:, LIP_SHAPES].mean()),
        others=float(off[:, OTHER_SHAPES].mean()),
        gap=float(np.abs(gaps[0] - gaps[1]).mean()),
        gap_match=_correlation(*gaps),
        gap_lag=lag(*gaps),
        pose_match=min(_correlation(*pair) for pair in pairs),
        pose_lag=float(np.mean([lag(*pair) for pair in pairs])),
        closures=len(_closures(gaps[0])),
        found_closures=sum(gaps[1][a:b].min() < _NEARLY for a, b in _closures(gaps[0])),
        blinks=len(_runs(shut[0] > _SHUT)),
        found_blinks=sum(shut[1][max(a - 1, 0) : b + 1].max() > _SHUT for a, b in _runs(shut[0] > _SHUT)),
        gaze=float(np.degrees(np.abs(track.gaze - clip.gaze)[open_eyes].mean())),
    )


def lip_gap(face: FaceFile, weights: Array, lip: Array) -> Array:
    """[F] metres between the middles of the lips, from `weights` [F, 52] and `lip` [F, K]."""
    ids = [face.landmarks["lip_upper_middle"], face.landmarks["lip_lower_middle"]]
    points = face.vertices[ids] + np.tensordot(weights, face.shapes[:, ids], 1)
    place = {int(vertex): row for row, vertex in enumerate(face.lip_index)}
    for column, vertex in enumerate(ids):
        if lip.shape[1] and vertex in place:
            points[:, column] += lip @ face.lip_basis[:, place[vertex]]
    return np.asarray(np.linalg.norm(points[:, 0] - points[:, 1], axis=1))


def lag(truth: Array, found: Array) -> float:
    """Frames by which `found` [F] is late: where their correlation is greatest, to a fraction."""
    count = len(truth)
    steps = np.arange(-_LAGS, _LAGS + 1)
    matches = [
        _correlation(truth[max(0, -s) : count - max(0, s)], found[max(0, s) : count + min(0, s)])
        for s in steps
    ]
    best = int(np.clip(np.argmax(matches), 1, len(steps) - 2))
    before, at, after = matches[best - 1 : best + 2]
    return float(steps[best] + (before - after) / (2.0 * (before - 2.0 * at + after) - 1e-12))


def _correlation(truth: Array, found: Array) -> float:
    return float(np.corrcoef(truth, found)[0, 1]) if truth.std() > 0 and found.std() > 0 else 0.0


def _eyes(camera: Pinhole, face: FaceFile) -> Array:
    """[3] metres: the point between the eyes as the camera sees it."""
    eyes = [bone.head for bone in face.bones if bone.name.startswith("eye")]
    return camera.view(np.mean(eyes, axis=0))


def _closures(gap: Array) -> list[tuple[int, int]]:
    """Runs of frames with shut lips that lie between openings."""
    inside = _runs(gap < _CLOSED)
    ends = [0, *(end for _, end in inside)], [*(start for start, _ in inside), len(gap)]
    wide = [gap[a:b].max(initial=0.0) > _OPEN for a, b in zip(*ends, strict=True)]
    return [run for place, run in enumerate(inside) if wide[place] and wide[place + 1]]


def _runs(flags: Array) -> list[tuple[int, int]]:
    """First frame and first frame after of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def track_table(scores: TrackScores) -> str:
    """Plain text: degrees, millimetres, weights, frames."""
    lengths = ("sideways", "depth", "gap")
    lines = []
    for entry in fields(scores):
        value = getattr(scores, entry.name)
        shown = f"{value * 1e3:.2f} mm" if entry.name in lengths else f"{value:.3g}"
        lines.append(f"{entry.name:16s}{shown}")
    return "\n".join(lines)


@dataclass(frozen=True)
class StillScores:
    """What a track of a still picture with grain trembles by: standard deviations over frames.

    Attributes:
        turn: degrees, of the head's three turns; shift: metres, of its place, depth included.
        weights: the mean, and `worst` the greatest, of the weights that are not 0 throughout.
        gap: metres, of the distance between the lips.
    """

    turn: float
    shift: float
    weights: float
    worst: float
    gap: float


def still_scores(track: FaceTrack) -> StillScores:
    """How much a track of a still picture moves."""
    swing = track.weights.std(0)
    return StillScores(
        turn=float(np.degrees(track.pose[:, :3].std(0).mean())),
        shift=float(track.pose[:, 3:].std(0).mean()),
        weights=float(swing[swing > 0].mean()) if (swing > 0).any() else 0.0,
        worst=float(swing.max()),
        gap=float(lip_gap(track.face, track.weights, track.lip).std()),
    )


def still_table(scores: StillScores) -> str:
    """One line."""
    return (
        f"a still picture trembles by {scores.turn:.3f} degrees, {scores.shift * 1e3:.3f} mm, "
        f"weights {scores.weights:.4f} (worst {scores.worst:.4f}), lip gap {scores.gap * 1e3:.3f} mm"
    )
