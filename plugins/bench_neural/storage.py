"""Networks and what they were fitted on, on disk: safetensors only, nothing that could run code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_numpy
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch
from torch import nn

from bench import Catalog
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.vocabulary import Vocabulary


def save_weights(file: Path, network: nn.Module) -> None:
    """Write all persistent weights of `network`."""
    save_torch({name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}, file)


def load_weights(file: Path, network: nn.Module) -> None:
    """Read what `save_weights` wrote into a network of the same shape; raises RuntimeError where it differs."""
    network.load_state_dict(load_torch(file))


def save_arrays(file: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write named arrays."""
    save_numpy({name: np.ascontiguousarray(array) for name, array in arrays.items()}, file)


def load_arrays(file: Path) -> dict[str, NDArray[np.generic]]:
    """Read what `save_arrays` wrote."""
    return dict(load_numpy(file))


def save_encoders(folder: Path, items: ItemEncoder, profiles: ProfileEncoder) -> None:
    """Write what the encoders were fitted on, beside their weights: vocabularies and which items were seen."""
    save_arrays(folder / "items.safetensors", {"seen": items.seen, **items.features.vocabulary.arrays()})
    save_arrays(folder / "profiles.safetensors", profiles.features.vocabulary.arrays())


def load_encoders(folder: Path, dim: int, id_dropout: float = 0.0) -> tuple[ItemEncoder, ProfileEncoder]:
    """Encoders of the shapes that `save_encoders` wrote, weights to be loaded, no catalog bound yet."""
    fitted = load_arrays(folder / "items.safetensors")
    seen = fitted.pop("seen").astype(bool)
    items = ItemEncoder(Catalog(0), seen, dim, id_dropout, Vocabulary.of_arrays(fitted))
    profiles = Vocabulary.of_arrays(load_arrays(folder / "profiles.safetensors"))
    return items, ProfileEncoder({}, dim, profiles)
