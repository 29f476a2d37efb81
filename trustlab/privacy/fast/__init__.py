"""Exact clipping in one forward and one backward: ghost norms and book-keeping.

Per-example clipping seems to need every example's gradient. It needs less: their *norms*, and then one weighted sum.
Both follow from what an ordinary backward has in its hands anyway. A linear layer y = W x sees, of example i, inputs
x_t and the loss's gradients δ_t at its outputs, and the example's gradient is G_i = Σ_t δ_t x_tᵀ. Hence

    ‖G_i‖² = Σ_{t,s} (δ_t·δ_s)(x_t·x_s)          the *ghost norm*: the gradient itself is never formed
    Σ_i c_i G_i = Σ_i Σ_t (c_i δ_t) x_tᵀ         *book-keeping*: one matrix product, as in an ordinary backward

(Goodfellow 2015; Li et al. 2022, "Large language models can be strong DP learners"; Bu et al. 2022/2023, book-keeping).

Read in this order: ``engine`` (the step), ``recording`` (how x and δ are caught), ``layers`` (what each layer's
gradient is made of), ``factors`` (its norm and its weighted sum), ``recurrent``, ``function`` (any other module) and
``apart`` (examples must not mix).
"""

from trustlab.privacy.fast.engine import add_clipped

__all__ = ["add_clipped"]
