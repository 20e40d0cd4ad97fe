"""Some bad nights through the real engine and store: the goals of `make score`, small enough for every change."""

from __future__ import annotations

from typing import Any

import pytest

from tests.score.__main__ import misses, score_night, summary

SEEDS = (1, 2, 3, 5, 7, 8)


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    return [score_night(seed) for seed in SEEDS]


def test_nobody_is_accused_wrongly_and_nothing_is_overlooked(results: list[dict[str, Any]]) -> None:
    score = summary(SEEDS[0], results)
    assert score["problems"] > 20
    assert score["right"] > 500
    assert misses(score) == [], score["errors"]


def test_a_night_is_the_same_each_time(results: list[dict[str, Any]]) -> None:
    assert score_night(SEEDS[0]) == results[0]
