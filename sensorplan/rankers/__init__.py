"""Rankers: from the history of a network to an order of its regions."""

from sensorplan.rankers.dynst import MaskTraining, rank_by_dynst

__all__ = ["MaskTraining", "rank_by_dynst"]
