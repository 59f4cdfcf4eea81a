"""Values in the forms in which Slurm writes them, and labels of jobs."""

from __future__ import annotations

import pytest

from lamia_gql.adapters.slurm.accounting import parse_duration
from lamia_gql.adapters.slurm.job_label import JobLabel, find_label
from lamia_gql.adapters.slurm.job_queue import parse_indices
from lamia_gql.adapters.slurm.job_record import parse_bytes, parse_exit


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("lamia:night/fill", JobLabel("night", "fill")),
        ("by ada, lamia:night/fill see wiki", JobLabel("night", "fill")),
        ("lamia:my%20task/a%2Fb[12]", JobLabel("my task", "a/b", 12)),
        ("lamia:night", None),
        ("lamia:night/fill/3", None),
        ("https://lamia:night/fill", None),
        ("", None),
    ],
)
def test_labels(text: str, label: JobLabel | None) -> None:
    """A label is a word of its own in the comment, or else in the name."""
    assert find_label(text, "") == find_label("", text) == label
    assert find_label("lamia:a/b", text) == JobLabel("a", "b")


def test_values() -> None:
    """The forms in which Slurm writes lists, sizes, durations and exits."""
    assert list(parse_indices("0-3,7,10-20:5%4")) == [0, 1, 2, 3, 7, 10, 15, 20]
    texts = ("4904K", "1.5G", "4000M", "2Gc", "100Mn", "12", "", "?")
    sizes = (4904 * 1024, 1.5 * 2**30, 4000 * 2**20, 2 * 2**30, 100 * 2**20, 12, None, None)
    assert tuple(map(parse_bytes, texts)) == sizes
    durations = {"1-02:03:04": 93784, "02:03:04": 7384, "03:04.5": 184.5, "": None, "x": None}
    assert {text: parse_duration(text) for text in durations} == durations
    exits = {"3:0": (3, 0), "0:11": (0, 11), "768": (3, 0), "36608": (143, 0), "11": (0, 11)}
    assert {text: parse_exit(text) for text in exits} == exits
    assert parse_exit("") == parse_exit("?") == (0, 0)
