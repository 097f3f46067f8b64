"""Posterior variance: the regions that leave the least variance of all regions unexplained.

Source: A-optimal greedy selection in a Gaussian process, Krause, Singh and Guestrin 2008, Journal
of Machine Learning Research 9, 235-284, section 3; Chamon, Pappas and Ribeiro 2017 (IEEE Conference
on Decision and Control) say how near to the optimum greedy comes.
"""

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import network_modes
from sensorplan.rankers.selection import select_forward
from sensorplan.sensors import Floats, Ints


@observed_first
def rank_by_posterior_variance(history: History) -> tuple[Ints, Floats]:
    """Order regions by forward selection on the present of all regions.

    Importance is the variance that a region explains beyond those above it, as a share of the
    largest.
    """
    modes = network_modes(history)
    return select_forward(modes, modes.gram)
