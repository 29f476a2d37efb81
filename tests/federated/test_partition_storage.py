"""HDF5 in FedNLP's layout. The reading side of FedNLP's public code is spelled out here as it reads."""

import numpy as np
import pytest

from trustlab.federated.partition import Partition, partition, partition_pair

h5py = pytest.importorskip("h5py", reason="FedNLP's files are HDF5: pip install h5py")
LABELS, TEST_LABELS = ["a", "b", "c"] * 20, ["a", "b", "c"] * 4
SKEWED = dict(scheme="label-dirichlet-fednlp", clients=4, alpha=0.05, seed=3)


def as_fednlp_reads(path, method, client):
    """What ``BaseDataManager`` of FedNLP does with the file."""
    with h5py.File(path, "r", swmr=True) as file:
        clients = int(file[method]["n_clients"][()])
        part = file[method]["partition_data"][str(client)]
        return clients, part["train"][()], part["test"][()]


def test_fednlps_reader_finds_train_and_test(tmp_path):
    train, test = partition_pair(LABELS, TEST_LABELS, **SKEWED)
    path = tmp_path / "partition.h5"
    method = train.to_h5(path, test=test, test_offset=len(LABELS))
    assert method == "niid_label_clients=4_alpha=0.05"
    for client in range(4):
        clients, mine, held_out = as_fednlp_reads(path, method, client)
        assert clients == 4
        assert np.array_equal(mine, train[client]) and np.array_equal(held_out, test[client] + 60)
    with h5py.File(path) as file:
        assert file[method]["alpha"][()] == 0.05


def test_it_comes_back_whole(tmp_path):
    path = tmp_path / "partition.h5"
    train, test = partition_pair(LABELS, TEST_LABELS, **SKEWED, min_size=1)
    train.to_h5(path, test=test)
    for made, split in ((train, "train"), (test, "test")):
        back = Partition.from_h5(path, split=split)
        assert np.array_equal(back.flat, made.flat) and np.array_equal(back.offsets, made.offsets)
    back = Partition.from_h5(path)
    assert (back.scheme, back.options, back.seed, back.moved) == (train.scheme, train.options, 3, train.moved)
    users = partition(LABELS, scheme="natural")
    users.to_h5(path, method="users")
    assert Partition.from_h5(path, method="users").names == users.names == ("a", "b", "c")
    assert Partition.from_h5(path, method="users", split="test").sizes.tolist() == [0, 0, 0]


def test_a_file_of_fednlps_is_read(tmp_path):
    """As its ``niid_quantity.py`` writes: unsorted indices, no attributes."""
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "a") as file:
        file["/niid_quantity_clients=2_beta=1.0/n_clients"] = 2
        for client, indices in enumerate(([4, 0], [3, 1, 2])):
            file[f"/niid_quantity_clients=2_beta=1.0/partition_data/{client}/train/"] = indices
    made = Partition.from_h5(path)
    assert [part.tolist() for part in made] == [[0, 4], [1, 2, 3]] and made.scheme == "niid_quantity_clients=2_beta=1.0"


def test_one_file_holds_several_and_replaces_none_unasked(tmp_path):
    path = tmp_path / "partition.h5"
    first, second = (partition(LABELS, **SKEWED | {"alpha": alpha}) for alpha in (0.05, 0.1))
    names = [first.to_h5(path), second.to_h5(path)]
    assert len(set(names)) == 2  # FedNLP's %.1f would write "0.1" for both
    before = path.read_bytes()
    with pytest.raises(ValueError, match="overwrite=True"):
        first.to_h5(path)
    assert path.read_bytes() == before and not list(tmp_path.glob(".*"))
    partition(LABELS, **SKEWED | {"seed": 9}).to_h5(path, overwrite=True)
    assert Partition.from_h5(path, method=names[0]).seed == 9 and Partition.from_h5(path, method=names[1]).seed == 3


def test_what_cannot_be_stored_or_read_is_refused(tmp_path):
    path = tmp_path / "partition.h5"
    made = partition(LABELS, **SKEWED)
    with pytest.raises(ValueError, match="over the same 4 clients, got 2"):
        made.to_h5(path, test=partition(LABELS, scheme="iid", clients=2))
    made.to_h5(path)
    made.to_h5(path, method="again")
    with pytest.raises(ValueError, match="method=None to be one of 'again', 'niid_label_"):
        Partition.from_h5(path)
    with pytest.raises(ValueError, match="split='dev'"):
        Partition.from_h5(path, split="dev")
    with h5py.File(path, "a") as file:
        file["twice/n_clients"] = 1
        file["twice/partition_data/0/train"] = [1, 1]
    with pytest.raises(ValueError, match="once in 'twice'"):
        Partition.from_h5(path, method="twice")
