"""A panel as a page: every state of its controls, drawn by the panel itself, as HTML without a server or a kernel.

:mod:`~trustlab.site.states` moves the panel, :mod:`~trustlab.site.sharing` stores what pictures have in common once,
:mod:`~trustlab.site.page` writes one page and :mod:`~trustlab.site.writing` the site. Which panels the course shows is
in :mod:`trustlab.course.explorables`.
"""
