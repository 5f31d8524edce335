"""Estimators: one module an estimand, each a pure function from counts or frames to `Answer` or `Estimate` rows."""
