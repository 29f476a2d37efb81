"""Linear heads on the states of a frozen encoder: what is trained when nearly everything is left as it was."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.models.taggers import masked_mean


class StateTagger(nn.Module):
    """An intent head and a slot head on the words' states, see :func:`trustlab.models.state_examples`.

    The intent is read off the mean state. A word's tag is read off its own state, its neighbours' and the mean state:
    logit_t = A x_{t-1} + B x_t + C x_{t+1} + D mean(x). All weights start at zero, so only batches and noise vary
    between trainings.

    Parameters
    ----------
    width
        D, the size of a state.
    intents, slots
        Numbers of intents and slot tags.
    """

    def __init__(self, width: int, intents: int, slots: int) -> None:
        super().__init__()
        self.settings = dict(width=width, intents=intents, slots=slots)
        self.sentence = nn.Linear(width, intents + slots)
        self.words = nn.Linear(width, 3 * slots, bias=False)  # A, B and C, one after the other
        for weights in self.parameters():
            nn.init.zeros_(weights)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return intent logits [B, I] and slot logits [B, T, S] of `states` [B, T, D]."""
        states = F.layer_norm(states.float(), states.shape[-1:]) * mask.unsqueeze(-1)  # [B, T, D], padding is zero
        intents = self.settings["intents"]
        whole = self.sentence(masked_mean(states, mask))  # [B, I + S]
        left, own, right = self.words(states).chunk(3, dim=-1)  # each [B, T, S]
        near = F.pad(left, (0, 0, 1, 0))[:, :-1] + own + F.pad(right, (0, 0, 0, 1))[:, 1:]
        return whole[:, :intents], near + whole[:, None, intents:]
