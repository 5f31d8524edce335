"""What the numbers are: frames and values in, frames and values out.

Owns the study file's model, the estimators, the simulator and the report. Reads no database and no clock.
"""
