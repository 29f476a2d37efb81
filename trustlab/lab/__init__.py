"""What a notebook shows: panels to move, drawings, background jobs and the teaching parts around them.

Importing this package is light; matplotlib and ipywidgets come in with the file that uses them
(``panel``, ``curves``, ``teaching``).
"""
