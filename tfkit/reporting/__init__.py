"""Reports: a run directory as one HTML file, comparison of runs, diagnostics."""
