"""Landmarks by mediapipe: its bundled models, or a newer `.task` file.

Faces are looked for in the whole picture at two ranges, then, as long as none is found, in overlapping parts
(small faces) and in turned copies (tilted heads). Each face is then cut out upright, filling half of a
square, and its mesh is found there again until it rests: precision does not depend on the picture's size.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_addon.protocol.errors import FileFormatError, InputError, MissingExtraError
from blender_addon.protocol.tensorfile import Array

from .landmarks import DetectedFace, LandmarkSource
from .quiet import quiet
from .windows import Window, box_window, landmark_window, rotated_windows, tile_windows, upright_angle

_SURE, _UNSURE = 0.5, 0.2  # detection confidences asked for at first, and of illustrations; our choice
_PASSES = 3  # mesh runs per face of a picture; a fourth moves points by less than 0.3% of the eye distance
_BLANK = np.zeros((128, 128, 3), np.uint8)
_SAME_FACE = 0.5  # two finds nearer than this share of the larger one's size are one face
_DRIFT = 0.12  # share of the followed window by which a face may move before the window goes after it
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners
_HINT = "Install it with: pip install -e .[portrait]"


def bundled_landmarks() -> LandmarkSource:
    """The detector and face mesh that come with mediapipe. Raises `MissingExtraError`."""
    return MediapipeLandmarks(_BundledMesh)


def task_landmarks(path: Path) -> LandmarkSource:
    """The face mesh of a mediapipe `.task` file; faces are found as with the bundled models.

    Raises:
        MissingExtraError: mediapipe is not installed.
        InputError: there is no such file.
        FileFormatError: mediapipe cannot read it.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is not a file", "Give a mediapipe face landmarker, such as face_landmarker.task"
        )
    return MediapipeLandmarks(lambda: _TaskMesh(path))


class MediapipeLandmarks:
    """A `LandmarkSource`. Not for use from two threads at once."""

    def __init__(self, mesh: Any) -> None:
        """`mesh` makes an object with `restart()` and `find(picture) -> [478, 3] or None`."""
        self._still, self._moving = mesh(), mesh
        self._follower: Any = None
        self._window: Window | None = None
        solution = _mediapipe().solutions.face_detection.FaceDetection
        with quiet():
            self._near, self._far = (solution(_UNSURE, model_selection=range_) for range_ in (0, 1))
            for detector in (self._near, self._far):  # its threads log until they have seen a picture
                detector.process(_BLANK)

    def detect(self, picture: Array) -> list[DetectedFace]:
        """All faces of a picture [H, W, 3] u8 sRGB, the largest first."""
        for windows, sure in (
            ([Window.whole(picture)], _SURE),
            (tile_windows(picture), _SURE),
            (rotated_windows(picture), _SURE),
            ([Window.whole(picture), *tile_windows(picture)], _UNSURE),
        ):
            faces = self._meshes(picture, self._candidates(picture, windows, sure))
            if faces:
                return sorted(faces, key=lambda face: -face.box[2] * face.box[3])
        return []

    def follow(self, picture: Array) -> DetectedFace | None:
        """The same face in the next picture of a video, the largest where there is none to follow."""
        if self._window is None or self._follower is None:
            faces = self.detect(picture)
            if not faces:
                return None
            self._follower = self._follower or self._moving()
            self._follower.restart()
            self._window = landmark_window(faces[0].landmarks)
        marks = self._follower.find(self._window.cut(picture))
        if marks is None:
            self._window = None
            return None
        landmarks = self._window.back(marks)
        wanted = landmark_window(landmarks)
        if not wanted.near(self._window, _DRIFT):
            self._window = wanted
        return _face(landmarks, 1.0)

    def _candidates(self, picture: Array, windows: list[Window], sure: float) -> list[tuple[Window, float]]:
        """Upright windows round what may be faces, the surest first, and how sure."""
        found: list[tuple[Window, float]] = []
        for window in windows:
            part = window.cut(picture)
            for detector in (self._near, self._far):
                with quiet():
                    detections = detector.process(part).detections or []
                found += [_candidate(d, window) for d in detections if d.score[0] >= sure]
        apart: list[tuple[Window, float]] = []
        for candidate in sorted(found, key=lambda item: -item[1]):
            if not any(candidate[0].near(other, _SAME_FACE / 2) for other, _ in apart):
                apart.append(candidate)
        return apart

    def _meshes(self, picture: Array, candidates: list[tuple[Window, float]]) -> list[DetectedFace]:
        faces: list[DetectedFace] = []
        for window, score in candidates:
            landmarks = self._mesh(picture, self._upright(picture, window))
            if landmarks is None:
                continue
            face = _face(landmarks, score)
            if not any(_overlap(face, other) > _SAME_FACE for other in faces):
                faces.append(face)
        return faces

    def _upright(self, picture: Array, window: Window) -> Window:
        """`window`, or its half turn if it shows a face more surely: upside down, a mouth looks like eyes."""
        turned = replace(window, angle=window.angle + math.pi)
        found = [self._sureness(one.cut(picture)) for one in (window, turned)]
        return turned if found[1] > found[0] else window

    def _sureness(self, part: Array) -> float:
        with quiet():
            detections = self._near.process(part).detections or []
        return max((float(detection.score[0]) for detection in detections), default=0.0)

    def _mesh(self, picture: Array, window: Window) -> Array | None:
        """Landmarks [478, 3] of the face in a window, found until they rest."""
        self._still.restart()
        marks = self._still.find(window.cut(picture))
        if marks is None:
            return None
        window = landmark_window(window.back(marks))
        part = window.cut(picture)
        self._still.restart()
        for _ in range(_PASSES):
            marks = self._still.find(part)
            if marks is None:
                return None
        return window.back(marks)


class _BundledMesh:
    """The face mesh with irises that comes with mediapipe."""

    def __init__(self) -> None:
        mesh = _mediapipe().solutions.face_mesh.FaceMesh
        with quiet():
            self._mesh = mesh(
                max_num_faces=1,
                refine_landmarks=True,
                min_detection_confidence=_UNSURE,
                min_tracking_confidence=_UNSURE,
            )
            self._mesh.process(_BLANK)  # as above
        self._fresh = False

    def restart(self) -> None:
        """Forget the last picture."""
        self._fresh = False

    def find(self, picture: Array) -> Array | None:
        """[478, 3] pixels right, down, away."""
        with quiet():
            if not self._fresh:  # not in `restart`: the graph's threads log until they have seen a picture
                self._mesh.reset()
                self._fresh = True
            faces = self._mesh.process(picture).multi_face_landmarks
        return _pixels(faces[0].landmark, picture) if faces else None


class _TaskMesh:
    """The face mesh of a `.task` file."""

    def __init__(self, path: Path) -> None:
        _mediapipe()
        from mediapipe.tasks import python as tasks

        options = tasks.vision.FaceLandmarkerOptions(
            base_options=tasks.BaseOptions(model_asset_path=str(path)),
            min_face_detection_confidence=_UNSURE,
            min_face_presence_confidence=_UNSURE,
        )
        with quiet():
            try:
                self._landmarker = tasks.vision.FaceLandmarker.create_from_options(options)
            except (RuntimeError, ValueError) as error:
                raise FileFormatError(
                    f"{path} is not a face landmarker that mediapipe can read",
                    "Give a file such as face_landmarker.task",
                ) from error

    def restart(self) -> None:
        """Nothing: every picture stands alone."""

    def find(self, picture: Array) -> Array | None:
        """[478, 3] pixels right, down, away."""
        media = _mediapipe()
        with quiet():
            image = media.Image(image_format=media.ImageFormat.SRGB, data=np.ascontiguousarray(picture))
            faces = self._landmarker.detect(image).face_landmarks
        return _pixels(faces[0], picture) if faces else None


def _pixels(marks: Any, picture: Array) -> Array:
    height, width = picture.shape[:2]
    points = np.array([(mark.x, mark.y, mark.z) for mark in marks])
    return np.asarray(points * (width, height, width))


def _candidate(detection: Any, window: Window) -> tuple[Window, float]:
    """The upright window round a detection in `window`."""
    data = detection.location_data
    box = data.relative_bounding_box
    place = window.back(np.array([[box.xmin + box.width / 2, box.ymin + box.height / 2]]) * window.pixels)[0]
    eyes = np.array([(point.x, point.y) for point in data.relative_keypoints[:2]]) * window.pixels
    size = max(box.width, box.height) * window.side
    return box_window(place, size, upright_angle(*window.back(eyes))), float(detection.score[0])


def _face(landmarks: Array, confidence: float) -> DetectedFace:
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    width, height = high - low
    return DetectedFace(
        (float(low[0]), float(low[1]), float(width), float(height)), landmarks.astype(np.float32), confidence
    )


def _overlap(one: DetectedFace, other: DetectedFace) -> float:
    """Share of the smaller box that lies in the other."""
    a, b = np.array(one.box), np.array(other.box)
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    return float(np.prod(np.maximum(high - low, 0)) / max(min(np.prod(a[2:]), np.prod(b[2:])), 1e-9))


def _mediapipe() -> Any:
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mediapipe
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"finding a face needs {error.name}, which is not installed", _HINT
        ) from error
    return mediapipe
