"""Queries compiled to plans: a statement for each level, and generated functions for the answer.

``selection`` collects the fields, ``compiler`` makes a plan of them, ``levels``, ``reading`` and
``pages`` are what a plan consists of, and ``source`` generates the functions that turn rows into
objects. A plan runs in a thread that has a connection, from the first statement to the finished
answer.
"""
