"""What a notebook shows: panels to move, drawings, background jobs and the teaching parts around them.

A room's panel is an ``experiment_panel`` over a table that ``saved`` reads; ``own_runs`` keeps what a reader trains.

Importing this package is light; matplotlib and ipywidgets come in with the file that uses them
(``panel``, ``curves``, ``teaching``).
"""
