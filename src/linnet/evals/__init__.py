"""Measuring: suites of cases, how a case is judged, and tables with intervals."""
