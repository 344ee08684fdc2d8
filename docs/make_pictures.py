"""Renders the pictures of README and docs: `.venv/bin/python docs/make_pictures.py [NAME ...]`.

Needs the `train` extra, `talking` needs `portrait` and `dev` too, `cycles` needs `blender` and takes some ten
minutes on two cores.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import life_sheet
import matplotlib.pyplot as plt
import motion_sheets
import numpy as np
import pose_sheets
import sheets
import talking_sheet

from backend.demo import DEMO_VOICE
from backend.devices import load_expression_model, load_motion_models
from backend.faces import talking_face
from backend.media.audio import SAMPLE_RATE, read_audio
from backend.pipeline import AnimateRequest, animate
from blender_addon.lips.offsets import coefficients_of, handles_of
from blender_addon.lips.region import prepare_lips
from blender_addon.lips.solve import solve_coefficients, sticky_contact
from blender_addon.protocol.arkit import ARKIT_INDEX
from models.face import load_head
from models.render import PreviewRenderer

STUDIO = Path(__file__).resolve().parent / "studio.py"
CYCLES_VIEWS = ("front", "three_quarter", "side", "smile", "open", "eye")
IMAGES = Path(__file__).resolve().parent / "images"
# Start times in seconds of the words of the shipped line, from a forced alignment.
WORDS = (
    "0.20 and|0.37 Mr.|0.63 John|0.98 Dashwood|1.60 had|1.84 then|2.25 leisure|2.73 to|2.89 consider|"
    "3.44 how|4.00 much|4.33 there|4.52 might|4.79 be|4.94 prudently|5.46 in|5.56 his|"
    "5.75 power|6.04 to|6.22 do|6.35 for|6.61 them"
)
EXPRESSIONS = (
    {},
    {"jawOpen": 0.6},
    {"mouthPucker": 0.8, "jawOpen": 0.1},
    {"mouthSmile": 0.7, "cheekSquint": 0.4},
    {"mouthFrown": 0.7, "browInnerUp": 0.7},
    {"browDown": 0.9, "noseSneer": 0.5},
    {"eyeBlink": 1.0},
    {"eyeWide": 0.8, "browOuterUp": 0.8, "browInnerUp": 0.8, "jawOpen": 0.3},
)


def main() -> None:
    """Write the named pictures into docs/images, or all."""
    IMAGES.mkdir(exist_ok=True)
    makers = {
        "expressions": expressions,
        "speech": speech,
        "portraits": lambda: sheets.portraits(IMAGES / "portraits.jpg", load_head(None)),
        "shapes": lambda: sheets.shapes(IMAGES / "shapes.jpg", load_head(None)),
        "identities": lambda: sheets.identities(IMAGES / "identities.jpg", load_head(None)),
        "visemes": lambda: sheets.visemes(IMAGES / "visemes.jpg", load_head(None)),
        "emotions": lambda: motion_sheets.emotions(IMAGES / "emotions.jpg"),
        "styles": lambda: motion_sheets.styles(IMAGES / "styles.jpg"),
        "seeds": lambda: motion_sheets.seeds(IMAGES / "seeds.png"),
        "life": lambda: life_sheet.life(IMAGES / "life.png"),
        "head": lambda: pose_sheets.head(IMAGES / "head.jpg"),
        "head_spectrum": lambda: pose_sheets.spectrum(IMAGES / "head_spectrum.png"),
        "offsets": offsets,
        "talking": lambda: talking_sheet.talking(IMAGES / "talking.jpg"),
        "cycles": cycles,
    }
    for name in sys.argv[1:] or makers:
        makers[name]()


def expressions() -> None:
    """Eight expressions of the built-in head."""
    renderer = PreviewRenderer(load_head(None), (390, 390))
    faces = [renderer.frame(sheets.weights_of(expression)) for expression in EXPRESSIONS]
    rows = [np.concatenate(faces[i : i + 4], axis=1) for i in (0, 4)]
    sheets.save(IMAGES / "expressions.jpg", np.concatenate(rows))


def speech() -> None:
    """Two stretches of the shipped line."""
    renderer = PreviewRenderer(load_head(None), (480, 480))
    clip = animate(AnimateRequest(audio=DEMO_VOICE, face=talking_face(None)), load_motion_models("auto"))
    for name, start, end in (("speech", 4.5, 6.9), ("speech_start", 0.1, 2.5)):
        _strip(IMAGES / f"{name}.png", renderer, clip, start, end)


def offsets() -> None:
    """The mouth at a p, b, m and at an f, v of the shipped line: without offsets, as drawn, solved."""
    face = load_head(None)
    lips = prepare_lips(face)
    stream = load_expression_model("auto").stream(50.0)
    chunks = [stream.push(read_audio(DEMO_VOICE)), stream.finish()]
    weights, contact, drawn = (
        np.concatenate([getattr(chunk, name) for chunk in chunks])
        for name in ("weights", "contact", "offsets")
    )
    solved = solve_coefficients(lips, weights, contact, sticky_contact(contact[:, 0], 50.0).held)
    ways = {
        "without": np.zeros_like(solved),
        "drawn": coefficients_of(lips, handles_of(lips, drawn)),
        "solved": solved,
    }
    jaw = weights[:, ARKIT_INDEX["jawOpen"]]
    frames = {name: int((contact[:, i] * (0.2 + jaw)).argmax()) for i, name in enumerate(("p b m", "f v"))}
    sheets.mouths(IMAGES / "offsets.jpg", face, weights, frames, ways)


def cycles() -> None:
    """The head in Blender's Cycles, rendered by a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, str(STUDIO), folder], check=True, stdout=subprocess.DEVNULL)
        views = [plt.imread(Path(folder) / f"{name}.png")[..., :3] for name in CYCLES_VIEWS]
    rows = [np.concatenate(views[i : i + 3], axis=1) for i in (0, 3)]
    sheets.save(IMAGES / "cycles.jpg", np.round(np.concatenate(rows) * 255).astype(np.uint8))


def _strip(out: Path, renderer: PreviewRenderer, clip, start: float, end: float) -> None:
    """Frames in a row, each above its moment of the waveform, words and curves."""
    every = 3
    first, last = round(start * clip.info.fps), round(end * clip.info.fps)
    chosen = range(first, last, every)
    figure = plt.figure(figsize=(20, 4.2))
    grid = figure.add_gridspec(3, 1, height_ratios=(1.05, 1, 1.4), hspace=0.05)
    faces = figure.add_subplot(grid[0])
    width = every / clip.info.fps
    for index in chosen:
        time = index / clip.info.fps
        image = renderer.frame(clip.weights[index], lip=clip.lip[index])[228:438, 130:330]
        faces.imshow(image, extent=(time - width / 2, time + width / 2, 0, 1), aspect="auto")
    sound = read_audio(DEMO_VOICE)
    wave = figure.add_subplot(grid[1])
    wave.plot(np.arange(len(sound)) / SAMPLE_RATE, sound, lw=0.5, color="0.4")
    for entry in WORDS.split("|"):
        time, word = entry.split(" ", 1)
        if start <= float(time) < end:
            wave.axvline(float(time), color="0.7", lw=0.6)
            wave.text(float(time) + 0.01, 0.36, word, fontsize=11)
    curves = figure.add_subplot(grid[2])
    times = np.arange(clip.frames) / clip.info.fps
    for name in ("jawOpen", "mouthClose", "mouthPucker", "mouthFunnel"):
        curves.plot(times, clip.weights[:, ARKIT_INDEX[name]], label=name)
    curves.plot(times, clip.contact[:, 0], "k--", lw=0.9, label="contact p/b/m")
    curves.plot(times, clip.contact[:, 1], "k:", lw=0.9, label="contact f/v")
    curves.legend(loc="upper left", ncols=6, fontsize=8)
    for axis in (faces, wave, curves):
        axis.set_xlim(start - width / 2, chosen[-1] / clip.info.fps + width / 2)
        axis.set_yticks([])
    faces.set_xticks([])
    faces.set_ylim(0, 1)
    wave.set_ylim(-0.5, 0.5)
    wave.set_xticks([])
    curves.set_ylim(0, 1.35)
    curves.set_xlabel("seconds")
    figure.savefig(out, dpi=70, bbox_inches="tight")
    plt.close(figure)


if __name__ == "__main__":
    main()
