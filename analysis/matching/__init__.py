"""Matched sets inside a cohort: who may be a control for whom, and a fair draw among them. Reads frames, estimates nothing."""
