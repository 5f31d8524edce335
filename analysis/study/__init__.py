"""The study file: the only place where a clinical setting is decided."""
