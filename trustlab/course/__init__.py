"""The course: one room for each notebook, and what a reproduction of its experiments needs.

``nNN_name`` holds the code of ``notebooks/NN_name.ipynb``: ``EXPERIMENT`` (its committed table, and one setting run
now), ``experiment`` (a grid of trainings and the row of each), ``claims``, ``results`` (the committed table, read),
``panel``, ``drawing``, ``toy`` and ``exercises``. No room imports another's, except that 00 shows a result of 11; what
several need is here: ``corpora``, ``intents``, ``characters``, ``alpha``. ``registry`` lists the experiments,
``reproduce`` computes them again.
"""
