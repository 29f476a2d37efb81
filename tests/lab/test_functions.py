import numpy as np
import pytest
import torch

from trustlab.lab.functions import check_function


def clipped(gradient, norm):
    return gradient * min(1.0, norm / np.linalg.norm(gradient))


def cases(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=3) * 10 ** rng.uniform(-1, 1), 1.0) for _ in range(n)]


PROPERTIES = [
    (lambda a, r: np.linalg.norm(r) <= a[1] * (1 + 1e-9), "A clipped gradient is no longer than C."),
    (lambda a, r: np.linalg.norm(a[0]) > a[1] or np.allclose(r, a[0]), "A short gradient stays as it is."),
]
SLIPS = [(lambda g, c: np.clip(g, -c, c), "You clipped each coordinate.")]


def checked(mine, **options):
    return check_function(mine, cases(), right=clipped, **{"properties": PROPERTIES, "because": SLIPS, **options})


def test_a_right_function_is_right_whatever_it_returns():
    assert str(checked(clipped)) == "✓ Your function is right on 20 inputs."
    assert checked(lambda g, c: list(clipped(g, c))).right is True
    with_grad = checked(lambda g, c: torch.tensor(clipped(g, c), requires_grad=True))
    assert with_grad.right is True, str(with_grad)


@pytest.mark.parametrize("stub", [..., None, lambda g, c: ..., lambda g, c: None])
def test_what_is_not_written_yet_is_not_wrong(stub):
    assert checked(stub).right is None and str(checked(stub)).startswith("… Not written yet: ")


def test_a_property_is_named_with_the_input_that_breaks_it():
    told = str(checked(lambda g, c: g / np.linalg.norm(g) * c))
    assert told.startswith("✗ A short gradient stays as it is. Your function returned [")
    first_short = next(g for g, c in cases() if np.linalg.norm(g) <= c)
    assert f"for ([{first_short[0]:.4g}, " in told
    assert str(checked(lambda g, c: g)).startswith("✗ A clipped gradient is no longer than C.")


def test_a_usual_slip_is_recognised_and_another_one_is_compared():
    assert "✗ You clipped each coordinate. " in str(checked(lambda g, c: np.clip(g, -c, c), properties=()))
    assert "✗ 3 of 3 values differ, the first at position 0. " in str(checked(lambda g, c: 2 * g, properties=()))
    assert "✗ Expected the shape (3,), got (). " in str(checked(lambda g, c: 1.0, properties=()))


def test_a_function_that_changes_its_input_is_refused_and_the_input_is_safe():
    def in_place(g, c):
        g *= min(1.0, c / np.linalg.norm(g))
        return g

    given = cases()
    told = str(check_function(in_place, given, right=clipped))
    assert told.startswith("✗ Your function changed its input (")
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(given, cases(), strict=True))


def test_an_exception_is_shown_with_its_input_and_not_raised():
    assert str(checked(lambda g, c: g[7])).startswith("✗ For ([") and "raised IndexError: index 7" in str(
        checked(lambda g, c: g[7])
    )
    assert "TypeError" in str(checked(lambda g: g))  # it takes one argument too few


def test_what_is_no_function_is_named():
    assert str(checked(3.5)) == "✗ Expected a function, got 3.5. Give its name without brackets after it."


def test_a_check_without_a_case_is_an_error_of_its_author():
    with pytest.raises(ValueError, match="at least one case"):
        check_function(clipped, [], right=clipped)


def test_a_predicate_about_another_kind_of_result_leaves_the_word_to_the_comparison():
    assert "Expected a number, got a str" in str(checked(lambda g, c: "x"))


def test_a_body_without_return_is_not_taken_for_the_stub():
    def forgot(x):
        total = x + 1  # noqa: F841

    def stub(x):
        """Return one more."""
        ...

    said = {f: str(check_function(f, [(1,)], right=lambda x: x + 1)) for f in (forgot, stub)}
    assert "Does it end with" in said[forgot] and "Replace" not in said[forgot]
    assert "Replace" in said[stub] and "Does it end" not in said[stub]
