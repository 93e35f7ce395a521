"""Numbers of threads, set within and as before afterwards; devices by name."""

import pytest
import torch

from netdyn_lib import torch_utils


@pytest.fixture
def two():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_within_and_the_rest_afterwards_also_after_an_error(two):
    with torch_utils.one():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2

    @torch_utils.one()
    def failing():
        """Kept."""
        assert torch.get_num_threads() == 1
        raise KeyError("x")

    for _ in range(2):
        with pytest.raises(KeyError):
            failing()
        assert torch.get_num_threads() == 2 and failing.__doc__ == "Kept."


def test_a_pool_whose_threads_are_alone_leaves_the_number_as_it_was(two):
    with torch_utils.pool(2, alone=True) as pool:
        assert list(pool.map(lambda _: torch.get_num_threads(), range(4))) == [1] * 4
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "", "cuda:-1"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ValueError, match="unknown device"):
        torch_utils.resolve(name)


def test_devices_are_those_that_exist():
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    with pytest.raises(ValueError, match=f"asks for GPU {there}"):
        torch_utils.resolve(f"cuda:{there}")
    assert torch_utils.resolve("auto").type == ("cuda" if there else "cpu")
    assert torch_utils.resolve(torch.device("cpu")).type == "cpu"
