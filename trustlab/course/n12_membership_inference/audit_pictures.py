"""What audits of honest training steps show of the declared ε, from the committed table of false alarms."""

from __future__ import annotations

from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import read, remembered
from trustlab.privacy.auditing.false_alarms import TABLE
from trustlab.privacy.auditing.step_audit import BOUNDS

ANY, TIGHT = BOUNDS
SHORT = ("also on a model with dropout", "with dropout")  # a label has little room
Row = dict[str, float | int | str]


@remembered
def shown_rows() -> list[Row]:
    """Return for each honest step the mean declared ε, what either bound shows of it, and how often too much."""
    table, _ = read(TABLE)
    rows: list[Row] = []
    for step, own in table.groupby("step", sort=False):
        by = own.set_index("check")
        rows.append({
            "step": (f"DP-SGD, {step}" if step.startswith(("loop", "fast")) else str(step)).replace(*SHORT),
            "declared ε": float(by.loc[TIGHT, "declared epsilon"]),
            "shown, Gaussian": float(by.loc[TIGHT, "shown epsilon"]),
            "shown, any mechanism": float(by.loc[ANY, "shown epsilon"]),
            "above, Gaussian": float(by.loc[TIGHT, "false claims"]),
            "above, any mechanism": float(by.loc[ANY, "false claims"]),
            "audits": int(by.loc["any", "audits"]),
            "accused": int(by.loc["any", "accused"]),
        })  # fmt: skip
    return rows


def shown_of_epsilon() -> Finding:
    """Draw the ε that honest steps declare, and the ε that an audit of them shows."""
    rows = shown_rows()
    audits, accused = (sum(int(row[name]) for row in rows) for name in ("audits", "accused"))
    fast = next(row for row in rows if row["step"] == "DP-SGD, fast")
    tight, any_ = (float(fast[f"shown, {name}"]) / float(fast["declared ε"]) for name in ("Gaussian", "any mechanism"))
    above = {name: max(float(row[f"above, {name}"]) for row in rows) for name in ("Gaussian", "any mechanism")}
    return finding.dumbbells(
        rows,
        label="step",
        start="shown, Gaussian",
        end="declared ε",
        x_label="ε of one step that sees every example, at δ = 1e-5",
        title="How much of its ε does an audit show?",
        verdict=f"{accused} of {audits:,} audits accuse an honest step. Of the exact step's ε the bound for Gaussian "
        f"noise shows {per_cent(tight)}, the one for any mechanism {per_cent(any_)}. At 95 % confidence they were "
        f"above ε in {per_cent(above['Gaussian'], 1)} and {per_cent(above['any mechanism'], 1)} of the audits of a "
        "step, or less.",
        provenance=f"saved, {int(rows[0]['audits'])} audits of each step with other C, σ and batches; 500 canaries",
    )
