"""Omalizumab and IgE: the binding model, dosing tables, and the delay of symptoms. Frames in, frames out."""
