"""Where extrinsic metrics are measured: texts, what is true of them, and who they are about, in one shape.

>>> from trustlab.fairness.tasks import load_task
>>> task = load_task("assistant", group_bias=0.5)
>>> task.test.groups.names, len(task.test)
(('coast', 'hill', 'valley'), 2000)

Read :mod:`~trustlab.fairness.tasks.shape` first. Then :mod:`~trustlab.fairness.tasks.assistant` (the assistant corpus,
the one task whose bias is known), :mod:`~trustlab.fairness.tasks.abuse` (HateXplain, Davidson's tweets, identities),
:mod:`~trustlab.fairness.tasks.pronouns` (WinoBias and Winogender) and :mod:`~trustlab.fairness.tasks.openings` (BOLD).
Then :mod:`~trustlab.fairness.tasks.all_metrics`: every metric a task allows, in one call. The real texts are read where
they lie and never printed.
"""

from trustlab.fairness.tasks.all_metrics import extrinsic_metrics
from trustlab.fairness.tasks.lookup import TASKS, load_task
from trustlab.fairness.tasks.pronouns import occupation_correlation
from trustlab.fairness.tasks.shape import GroupedTexts, Task

__all__ = ["TASKS", "GroupedTexts", "Task", "extrinsic_metrics", "load_task", "occupation_correlation"]
