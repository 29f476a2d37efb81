"""The course: one room for each notebook, and what a reproduction of its experiments needs.

``nNN_name`` holds the code of ``notebooks/NN_name.ipynb``, where it has such files: ``experiment`` (a grid of
trainings and the row of each), ``claims``, ``results`` (the committed table, read), ``panel``, ``drawing``, ``toy`` and
``exercises``. No room imports another's, except that 00 shows a result of 11. ``registry`` lists the experiments,
``reproduce`` computes them again.
"""
