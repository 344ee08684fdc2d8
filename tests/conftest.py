"""Settings of every test."""

from __future__ import annotations

import torch

torch.set_num_threads(1)  # small layers on several threads crawl when the machine is busy
