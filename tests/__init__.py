"""The tests: cases by hand, a slow reference, truth from R, and the whole pipeline."""
