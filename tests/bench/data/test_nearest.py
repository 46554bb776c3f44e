"""Index-only tasks: vectors, their exact neighbours, and what does not go with them."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from bench.data.cards import find_card
from bench.data.conventions import Conventions
from bench.data.nearest import neighbours, prepare_vectors
from bench.data.protocols import parse
from bench.data.tables import users_of
from bench.data.task import Task
from bench.data.vectors import VectorSet
from bench.errors import DataError, ProtocolError, UsageError

RNG = np.random.default_rng(3)
ITEMS, ASKED = RNG.standard_normal((300, 8)).astype(np.float32), RNG.standard_normal((60, 8)).astype(np.float32)


def folder_with(tmp_path: Path, distance: str, neighbors: np.ndarray | None = None) -> Path:
    """The card of a data set of vectors."""
    arrays = {"train": ITEMS, "test": ASKED} | ({} if neighbors is None else {"near": neighbors})
    np.savez(tmp_path / "shapes.npz", **arrays)
    said = 'neighbors = "near"\n' if neighbors is not None else ""
    return card_of(tmp_path, f'file = "shapes.npz"\ntrain = "train"\ntest = "test"\n{said}', distance)


def card_of(tmp_path: Path, said: str, distance: str) -> Path:
    card = tmp_path / "shapes.toml"
    card.write_text(
        f'title = "Shapes"\nhome = "https://example.org"\nlicence = "CC0"\ncitation = "none"\n[vectors]\n'
        f'{said}distance = "{distance}"\n',
        encoding="utf-8",
    )
    return card


def made(card: Path, tmp_path: Path, protocol: str = "nearest:neighbors=5,validation=20") -> Task:
    found = find_card(str(card))
    return prepare_vectors(found, parse(protocol), Conventions(), cache=tmp_path / "cache", data_root=None)


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "inner product"])
def test_targets_are_the_exact_neighbours(tmp_path: Path, distance: str) -> None:
    task = made(folder_with(tmp_path, distance), tmp_path)
    assert task.catalog().distance == distance and task.training_catalog().distance == distance
    np.testing.assert_array_equal(task.catalog().vectors, ITEMS)
    requests, targets = task.requests("test"), task.targets("test")
    assert len(requests) == 40 and len(task.requests("validation")) == 20 and len(task.training().interactions) == 0
    for row in range(40):
        asked = requests.vectors[row]
        np.testing.assert_array_equal(asked, ASKED[users_of(requests.keys)[row]])
        near = {
            "euclidean": -((ITEMS - asked) ** 2).sum(1),
            "cosine": ITEMS @ asked / np.linalg.norm(ITEMS, axis=1),
            "inner product": ITEMS @ asked,
        }[distance]
        assert targets[row].tolist() == np.argsort(-near)[:5].tolist()
    both = np.concatenate([task.requests(part).keys for part in ("validation", "test")])
    assert sorted(users_of(both)) == list(range(60))


def test_the_neighbours_of_the_file_are_taken_where_it_has_enough(tmp_path: Path) -> None:
    own = np.tile(np.arange(7, dtype=np.int32), (60, 1))
    task = made(folder_with(tmp_path, "euclidean", own), tmp_path)
    assert task.targets("test")[0].tolist() == [0, 1, 2, 3, 4]
    vectors = VectorSet("Shapes", ITEMS, ASKED, own, "euclidean")
    exact = neighbours(vectors, np.arange(60), 8)
    assert exact.shape == (60, 8) and exact[0].tolist() != list(range(8))


@pytest.mark.parametrize("form", ["hdf5", "npy", "fvecs", "bvecs"])
def test_other_forms_hold_the_same(tmp_path: Path, form: str) -> None:
    whole = form == "bvecs"  # of octets
    items, asked = (np.abs(one * 20).astype(np.uint8) if whole else one for one in (ITEMS, ASKED))
    near = np.tile(np.arange(7, dtype=np.int32), (60, 1))
    if form == "hdf5":
        with h5py.File(tmp_path / "shapes.hdf5", "w") as file:
            for name, array in (("train", items), ("test", asked), ("neighbors", near)):
                file[name] = array
        said = 'file = "shapes.hdf5"\ntrain = "train"\ntest = "test"\nneighbors = "neighbors"\n'
    elif form == "npy":
        for name, array in (("train", items), ("test", asked), ("near", near)):
            np.save(tmp_path / f"{name}.npy", array)
        said = 'train = "train.npy"\ntest = "test.npy"\nneighbors = "near.npy"\n'
    else:
        for name, array in ((f"train.{form}", items), (f"test.{form}", asked), ("near.ivecs", near)):
            lengths = np.full((len(array), 1), array.shape[1], np.int32)
            octets = array.view(np.uint8).reshape(len(array), -1)
            np.concatenate([lengths.view(np.uint8), octets], 1).tofile(tmp_path / name)
        said = f'train = "train.{form}"\ntest = "test.{form}"\nneighbors = "near.ivecs"\n'
    task = made(card_of(tmp_path, said, "euclidean"), tmp_path)
    np.testing.assert_array_equal(task.catalog().vectors, items.astype(np.float32))
    assert task.targets("test")[0].tolist() == [0, 1, 2, 3, 4]


def test_damaged_files_are_named(tmp_path: Path) -> None:
    ITEMS.tofile(tmp_path / "train.fvecs")  # without lengths
    said = 'train = "train.fvecs"\ntest = "train.fvecs"\n'
    with pytest.raises(DataError, match=r"train.fvecs is damaged"):
        made(card_of(tmp_path, said, "euclidean"), tmp_path)
    with pytest.raises(DataError, match=r"distance = 'L7' is none of euclidean, cosine, inner product"):
        made(folder_with(tmp_path, "L7"), tmp_path)
    (tmp_path / "train.txt").write_text("1 2 3", encoding="utf-8")
    with pytest.raises(DataError, match=r"train.txt: vectors are read from .npy, .fvecs"):
        made(card_of(tmp_path, 'train = "train.txt"\ntest = "train.txt"\n', "euclidean"), tmp_path)


def test_the_task_is_the_same_another_time_and_another_with_another_distance(tmp_path: Path) -> None:
    card = folder_with(tmp_path, "euclidean")
    first = made(card, tmp_path)
    assert made(card, tmp_path).folder == first.folder
    other = made(folder_with(tmp_path, "cosine"), tmp_path)
    assert other.fingerprint != first.fingerprint


def test_what_does_not_go_with_vectors_is_refused(tmp_path: Path) -> None:
    card = folder_with(tmp_path, "euclidean")
    with pytest.raises(ProtocolError, match="use --protocol nearest"):
        made(card, tmp_path, "next-item")
    with pytest.raises(ProtocolError, match="too few for nearest:neighbors=301"):
        made(card, tmp_path, "nearest:neighbors=301")
    with pytest.raises(UsageError, match="leave out --eligible"):
        prepare_vectors(
            find_card(str(card)), parse("nearest"), Conventions(), cache=tmp_path, data_root=None, eligible=card
        )
