"""After a long run: what each target has come to."""

from __future__ import annotations

from fuzz.harness import FIGURES, thorough


def pytest_terminal_summary(terminalreporter):
    """A line for each target: inputs, seconds, and how often each verdict was given."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    found = [(report, value) for report in reports for name, value in report.user_properties if name == FIGURES]
    if not thorough() or not found:
        return
    terminalreporter.section("fuzzing")
    for report, figures in found:
        verdicts = ", ".join(f"{verdict} {count:,}" for verdict, count in sorted(figures["tally"].items()))
        mark = "FAILED " if report.failed else ""
        inputs, seconds = sum(figures["tally"].values()), figures["seconds"]
        terminalreporter.write_line(f"{mark}{report.head_line}: {inputs:,} in {seconds:.0f} s ({verdicts})")
    total = sum(sum(figures["tally"].values()) for _, figures in found)
    failed = sum(report.failed for report, _ in found)
    terminalreporter.write_line(f"{len(found)} targets, {total:,} inputs, {failed} targets with a finding")
