"""Facility location: every region has a kept one that is much like it.

Source: Cornuejols, Fisher and Nemhauser 1977, Management Science 23(8), 789-810; lazy evaluation:
Minoux 1978, Accelerated greedy algorithms for maximizing submodular set functions.
"""

import heapq

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import NUGGET, network_modes
from sensorplan.sensors import Floats, Ints

DECIMALS = 5  # of a gain: two regions most like each other often tie


@observed_first
def rank_by_facility_location(history: History) -> tuple[Ints, Floats]:
    """Order regions so that the squared correlation of each with its best kept one grows most.

    Importance is the growth summed over all regions, as a share of the largest. Gains only fall as
    regions are taken, so one that still leads after it was computed anew is the best.
    """
    modes = network_modes(history)
    variance = (modes.loadings**2).sum(1) + modes.noise
    deviation = np.sqrt(variance)
    to_itself = 1 - NUGGET / variance  # near 0 where a sensor never changes
    unit = (modes.loadings / deviation[:, None]).astype(np.float32)
    best = np.zeros(history.regions)  # squared correlation of each region with its best kept one

    def likeness(region: int) -> Floats:
        squares: Floats = (unit @ unit[region]) ** 2
        squares[region] = to_itself[region]
        return squares

    def gain(region: int) -> float:
        return round(float(np.maximum(likeness(region) - best, 0).sum()), DECIMALS)

    queue = [(-gain(region), region) for region in range(history.regions)]
    heapq.heapify(queue)
    order, gains = [], []
    while queue:
        _, region = heapq.heappop(queue)
        now = (-gain(region), region)
        if queue and now > queue[0]:
            heapq.heappush(queue, now)
            continue
        order.append(region)
        gains.append(-now[0])
        best = np.maximum(best, likeness(region))
    return np.array(order), np.array(gains)
