"""trustlab: learn, test and reproduce trustworthy NLP.

The package behind the notebooks. Three chapters stand side by side (``privacy`` today; ``federated`` and
``fairness`` to come) on ``models`` and ``data``; ``lab`` shows them in JupyterLab; ``runs`` keeps what they compute.
Importing ``trustlab`` is light: torch and transformers are imported where they are used.
"""

__version__ = "0.1.0"
