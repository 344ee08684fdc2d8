"""Sizes and places of the eyes and the jaw (centimetres, the building frame)."""

import numpy as np

EYE_CENTRE = np.array([3.15, 0.08, 6.55])
