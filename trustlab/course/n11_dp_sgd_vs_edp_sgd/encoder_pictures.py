"""What to ship, as a picture and in words: heads on the frozen encoder, next to the BiLSTM and the literature."""

from __future__ import annotations

from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_results import (
    HEADS,
    MEASURES,
    baseline,
    joint_bert,
    minutes_of_full_training,
    reached,
    seconds,
    seconds_of_states,
    trainings,
    what_to_ship,
    with_a_layer,
    without_privacy,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_training import LAYER
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding, dots
from trustlab.lab.saved import CORPUS_NAMES

EPSILON = 3.0


def to_ship(corpus: str = "snips") -> Finding:
    """Draw intents and slot F1 of each way at each ε, as committed; `corpus` is one that the literature knows."""
    intents, slots = (reached(corpus, measure, EPSILON) for measure in MEASURES)
    layer = with_a_layer(corpus)[[*MEASURES]].mean()
    theirs, plain = ([each(corpus, measure) for measure in MEASURES] for each in (joint_bert, without_privacy))
    counted, most = baseline(corpus, "accuracy")
    verdict = (
        f"At ε = {EPSILON:g}, heads on the frozen encoder recognise {per_cent(intents)} of the intents of "
        f"{CORPUS_NAMES[corpus]}, with a slot F1 of {slots:.2f}. Their training took {seconds(corpus, EPSILON):.0f} s, "
        f"after {seconds_of_states(corpus):.0f} s for the states; to train the whole encoder would take about "
        f"{minutes_of_full_training(corpus):.0f} minutes. Without privacy, the heads reach {100 * plain[0]:.1f} % and "
        f"{plain[1]:.2f}, with one layer trained too {100 * layer['accuracy']:.1f} % and {layer['slot_f1']:.2f}, "
        f"counting words ({counted}) {100 * most:.1f} % of the intents, and the literature's BERT, all of it "
        f"trained, {100 * theirs[0]:.1f} % and {theirs[1]:.2f}."
    )
    return dots(
        what_to_ship(corpus),
        label="measured",
        value="score",
        low="low",
        high="high",
        series="way",
        x_label="share of 1",
        title=f"If you have to train privately tomorrow ({CORPUS_NAMES[corpus]})",
        verdict=verdict,
        provenance="saved, seeds 0–4",
    )


def recipe_in_words(corpus: str = "snips", epsilon: float = EPSILON) -> str:
    """Return what to do, in sentences whose numbers are those of the committed trainings."""
    runs = trainings(HEADS, corpus, epsilon)
    one = runs.iloc[0]
    examples = round(one["batch_size"] / one["share"], -2)  # the batch is a rounded share
    return (
        f"Read each word's state off layer {LAYER} of all-MiniLM-L6-v2, once: {seconds_of_states(corpus):.0f} s for "
        f"about {examples:,.0f} utterances. Train both heads together, with one loss: {one['epochs']} passes in "
        f"steps of {one['batch_size']:,} expected utterances (each drawn with probability {one['share']:g}), C = "
        f"{one['clip_norm']:g}, Adam from {one['learning_rate']:g} down to 0. Noise of σ = "
        f"{one['noise_multiplier']:.2f} makes that ε = {one['epsilon_spent']:.2f} at δ = 1e-5, for adding or removing "
        f"one utterance, counted by privacy loss distributions. Then choose the best tags that BIO allows: slot F1 "
        f"{runs['slot_f1'].mean():.2f} instead of {runs['slot_f1_greedy'].mean():.2f}. Training took "
        f"{seconds(corpus, epsilon):.0f} s on one core. The settings were chosen on the embedded corpus, so choosing "
        "them cost no ε."
    )
