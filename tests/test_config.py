import dataclasses
import math

import pytest

from trustlab.config import check, option


@dataclasses.dataclass(frozen=True)
class Example:
    clip_norm: float = option(1.0, label="C", help="Largest norm.", above=0)
    share: float = option(0.5, label="q", help="Sampling rate.", low=0, high=1)
    method: str = option("sgd", label="method", help="How to train.", values=("sgd", "dp-sgd"))
    sigma: float | None = option(None, label="σ", help="Noise.", low=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_norm": 0.0}, r"Expected clip_norm=0.0 > 0. Largest norm."),
        ({"share": 1.5}, r"Expected share=1.5 <= 1. Sampling rate."),
        ({"share": -0.5}, r"Expected share=-0.5 >= 0"),
        ({"share": math.nan}, r"Expected share=nan to be a number"),
        ({"share": "half"}, r"Expected share='half' to be a number"),
        ({"share": True}, r"Expected share=True to be a number"),
        ({"method": "adam"}, r"Expected method='adam' to be one of 'sgd', 'dp-sgd'. How to train."),
        ({"sigma": -1.0}, r"Expected sigma=-1.0 >= 0"),
    ],
)
def test_a_value_outside_its_range_is_named_with_what_it_means(change, message):
    with pytest.raises(ValueError, match=message):
        check(Example(**change))


def test_defaults_bounds_and_infinity_are_allowed():
    check(Example())
    check(Example(clip_norm=math.inf, share=1.0, sigma=0.0))
    check(Example(share=0))
