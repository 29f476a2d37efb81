"""trustlab: learn, test and reproduce trustworthy NLP.

The package behind the notebooks. Three libraries of mechanisms, ``privacy``, ``federated`` and ``fairness``, build on
``models`` and ``data``; ``lab`` is the instrument that shows them in JupyterLab; ``course`` has a room for each
notebook; ``runs`` keeps what is computed. Importing ``trustlab`` is light: torch and transformers are imported where
they are used.
"""

from trustlab.deprecation import answer_to_old_modules

__version__ = "0.1.0"

answer_to_old_modules()
