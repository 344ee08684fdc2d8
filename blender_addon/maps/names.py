"""Which names of a head a map means: prefixes, letter case, ways to say left and right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from .facemap import SHAPE_KEY, FaceMap, load_map, preset_names

_ENOUGH = 0.6  # of a preset's shape keys that a head must have to be taken for one of its kind
_SIDES = {"l": "left", "r": "right", "left": "left", "right": "right"}
_SHORTEST = 4  # letters of a name that may have a prefix: "Face.A" could be anything


def find_name(targets: Iterable[str], available: Iterable[str], loose: bool) -> str | None:
    """The available name that one of `targets` means, or None.

    As it is written; else behind a mesh's prefix ("Face.Jaw_Open"); else, if `loose`, in another spelling
    ("JawOpen", "eyeBlink_L", "eye_blink.left").
    """
    names = list(available)
    for target in targets:
        if target in names:
            return target
    for target in targets:
        for name in names:
            if len(target) >= _SHORTEST and name.endswith(tuple(mark + target for mark in "._-")):
                return name
    if loose:
        spelled = {spelling(name): name for name in reversed(names)}
        for target in targets:
            if spelling(target) in spelled:
                return spelled[spelling(target)]
    return None


def spelling(name: str) -> str:
    """A name without prefix, separators and case, its side in full: "bs.eyeBlink_L" -> "eyeblinkleft"."""
    stem, _, last = name.rpartition(".")
    if stem and last.lower() not in _SIDES:
        name = last
    words = [word for word in re.split(r"[^A-Za-z0-9]+", name) if word]
    side = ""
    if len(words) > 1 and words[-1].lower() in _SIDES:
        side = _SIDES[words.pop().lower()]
    elif words and re.search(r"[a-z][LR]$", words[-1]):
        side, words[-1] = _SIDES[words[-1][-1].lower()], words[-1][:-1]
    return "".join(words).lower() + side


def bound(face_map: FaceMap, available: Mapping[str, Iterable[str]]) -> FaceMap:
    """The part of `face_map` that a head has, with each part's target as the head calls it.

    Args:
        available: kind -> names.
    """
    names = {kind: list(each) for kind, each in available.items()}
    shape_keys = names.get(SHAPE_KEY, [])
    channels = []
    for channel in face_map.channels:
        found = find_name(channel.targets, names.get(channel.kind, []), face_map.loose)
        replaced = any(find_name([other], shape_keys, face_map.loose) for other in channel.unless)
        if found is not None and not replaced:
            channels.append(replace(channel, targets=(found,)))
    visemes = []
    for viseme in face_map.visemes:
        found = find_name(viseme.targets, shape_keys, face_map.loose)
        if found is not None:
            visemes.append(replace(viseme, targets=(found,)))
    return replace(face_map, channels=tuple(channels), visemes=tuple(visemes))


def detect_map(shape_keys: Iterable[str]) -> FaceMap | None:
    """The preset that most of a head's shape keys belong to, or None.

    Where a head has several kinds, as many have ARKit shapes and visemes, the one with more shapes wins.
    """
    names = list(shape_keys)
    best: tuple[int, FaceMap] | None = None
    for preset in preset_names():
        face_map = load_map(preset)
        wanted = face_map.visemes or face_map.channels
        found = sum(find_name(part.targets, names, face_map.loose) is not None for part in wanted)
        if wanted and found >= _ENOUGH * len(wanted) and (best is None or found > best[0]):
            best = (found, face_map)
    return None if best is None else best[1]
