"""How a parser is fuzzed: a strategy that knows the input's structure, a verdict for each input, a tally of the verdicts.

A target returns its verdict as a text and lets no exception through but those it expects. `sees` names the verdicts that
must all have occurred in the end, and `rarely` those that only a long run comes to: a target whose inputs are all refused
alike proves nothing. Without FUZZ_EXAMPLES the inputs are few and the same in every run; with it there are so many, new ones
each time, and FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Collection
from secrets import randbits
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning

__all__ = ["FIGURES", "fuzz", "thorough"]

FIGURES = "fuzzing"
"""Name of the property in which a target's report says how long it took and how often each verdict was given."""

_FEW = 100
_TURNS = 8
"""How often a normal run tries again to come to every verdict: which input comes when depends on keys that are made anew."""
_ROUND = 10_000
"""Hypothesis remembers all inputs of one round; a new round forgets them."""

Target = Callable[..., str]


def thorough() -> int:
    """How many examples each target is asked for; 0 in a normal run."""
    return int(os.environ.get("FUZZ_EXAMPLES") or 0)


def fuzz(
    *, sees: Collection[str], rarely: Collection[str] = (), **strategies: st.SearchStrategy[Any]
) -> Callable[[Target], Callable[..., None]]:
    """Make a test of a target: a few inputs in a normal run, FUZZ_EXAMPLES where that is set."""

    def decorate(target: Target) -> Callable[..., None]:
        def test(record_property: Callable[[str, object], None]) -> None:
            tally: Counter[str] = Counter()
            began = time.perf_counter()
            try:
                _run(target, strategies, tally, sees)
            finally:  # as a property of the test's report, which comes back from whichever process runs it
                record_property(FIGURES, {"seconds": time.perf_counter() - began, "tally": dict(tally)})
            missing = {*sees, *(rarely if thorough() >= _ROUND else ())} - set(tally)
            assert not missing, f"never seen: {sorted(missing)}; seen: {dict(tally)}"

        test.__name__, test.__qualname__, test.__doc__ = target.__name__, target.__qualname__, target.__doc__
        test.__module__ = target.__module__
        return test

    return decorate


def _run(target: Target, strategies: dict[str, st.SearchStrategy[Any]], tally: Counter[str], sees: Collection[str]) -> None:
    wanted = thorough()
    if not wanted:
        for turn in range(_TURNS):
            _round(target, strategies, tally, _FEW, turn or None)
            if set(sees) <= set(tally):
                return
        return
    first = int(os.environ.get("FUZZ_SEED") or 0) or randbits(32)
    for number in range(-(-wanted // _ROUND)):
        _round(target, strategies, tally, min(_ROUND, wanted - number * _ROUND), first + number)


def _round(
    target: Target, strategies: dict[str, st.SearchStrategy[Any]], tally: Counter[str], examples: int, start: int | None
) -> None:
    def judged(**drawn: Any) -> None:
        tally[target(**drawn)] += 1

    judged.__name__, judged.__qualname__ = target.__name__, target.__qualname__
    run = settings(
        max_examples=examples,
        derandomize=start is None,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large),
    )(given(**strategies)(judged))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HypothesisWarning)  # that an input which fails is long to print
            (run if start is None else seed(start)(run))()
    except Exception as error:
        if start is not None:
            error.add_note(f"again: FUZZ_SEED={start} FUZZ_EXAMPLES={examples}")
        raise
