"""The safety report: frames in, a folder of page, tables, figures and estimates out."""

from analysis.report.bundle import REPORT_TABLES, ReportError, ReportInput, write_bundle

__all__ = ["REPORT_TABLES", "ReportError", "ReportInput", "write_bundle"]
