"""Tests of the whole way through the house."""
