"""After a long run: what each target has come to."""

from __future__ import annotations

from fuzz.harness import FIGURES, thorough


def pytest_terminal_summary(terminalreporter):
    """A line for each target: inputs, seconds, and how often each verdict was given."""
    if not thorough() or not FIGURES:
        return
    terminalreporter.section("fuzzing")
    for found in FIGURES:
        verdicts = ", ".join(f"{verdict} {count:,}" for verdict, count in found.tally.most_common())
        mark = "" if found.passed else "FAILED "
        terminalreporter.write_line(f"{mark}{found.name}: {found.examples:,} in {found.seconds:.0f} s ({verdicts})")
    total, failed = sum(found.examples for found in FIGURES), sum(not found.passed for found in FIGURES)
    terminalreporter.write_line(f"{len(FIGURES)} targets, {total:,} inputs, {failed} targets with a finding")
