"""The report: a plan folder as one HTML page that needs nothing else."""

from sensorplan.exports.report.writing import write_report

__all__ = ["write_report"]
