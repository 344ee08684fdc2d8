"""The picture of docs/portraits.md, a photograph and the head made of it: `python docs/portrait_sheet.py`.

Needs the extras `portrait` and `dev`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sheets
from PIL import Image
from skimage import data

from models.portrait.fitting import fit_portrait
from models.portrait.texture import textured
from models.render import PreviewRenderer
from models.render.camera import Camera

OUT = Path(__file__).resolve().parent / "images" / "portrait-head.jpg"
_SIDE = 360
_CROP = (95, 0, 355, 260)  # of the photograph: head and shoulders
_SPAN = 0.27  # metres


def main() -> None:
    """The photograph, the head from the front and from 30 degrees on either side, its texture."""
    photo = data.astronaut()
    face = textured(fit_portrait(photo), photo)
    shown = [Image.fromarray(photo).crop(_CROP)]
    for yaw in (0.0, 30.0, -30.0):
        renderer = PreviewRenderer(face, (_SIDE, _SIDE), Camera(yaw=yaw, pitch=0.0, span=_SPAN))
        shown.append(Image.fromarray(renderer.frame(np.zeros(52, np.float32))))
    shown.append(Image.fromarray(face.textures["albedo"]))
    row = [np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)) for image in shown]
    sheets.save(OUT, np.concatenate(row, axis=1))


if __name__ == "__main__":
    main()
