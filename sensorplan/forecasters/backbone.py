"""`Backbone` and `Compact`: what every architecture is, before and after planning."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from sensorplan.forecasters.network import Network


class Options(BaseModel):
    """Settings of an architecture, beyond those of all; none unless it says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sources(NamedTuple):
    """The part of a large network that is read.

    Attributes:
        regions: ``[source]`` which regions, ascending.
        share: ``[source]`` how many regions each stands for in means over the network; 0 for one
            that is read for its neighbours alone.
    """

    regions: Tensor
    share: Tensor


class Compact(nn.Module):
    """A forecaster that takes the kept regions alone, and forecasts all."""

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """Forecast all regions.

        Args:
            history: ``[batch, kept, lookback * channel]`` standardised anomalies, 0 where missing.
            seen: The same shape, 1 where observed.
            calendar: ``[batch, feature]``.

        Returns:
            ``[batch, region, horizon * channel]``.
        """
        raise NotImplementedError

    def config(self) -> dict[str, Any]:
        """What `Backbone.empty_compact` needs besides the state, as JSON holds it."""
        raise NotImplementedError


class Backbone(nn.Module):
    """An architecture that forecasts every region from any subset of them.

    A new one needs `build`, `forward`, and either `config` and `from_config`, or a `compact` and an
    `empty_compact` of its own, which is where it can save work.

    Attributes:
        learning_rate: Peak of the one-cycle schedule, where no setting says otherwise.
        options_type: Its own settings.
        closed_form: True when `build` fits it, and training only calls `tune`.
        most_probed: Windows that a gradient to the gates is averaged over at most.
    """

    learning_rate: ClassVar[float] = 3e-3
    options_type: ClassVar[type[Options]] = Options
    closed_form: ClassVar[bool] = False
    most_probed: ClassVar[int] = 256

    @classmethod
    def build(cls, network: Network, options: Options) -> Self:
        """Make one for a network, from its training history; the caller seeds torch.

        Args:
            network: What it may know.
            options: Of its `options_type`.

        Raises:
            DataError: The network lacks what this architecture needs.
        """
        raise NotImplementedError

    def forward(
        self,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        targets: Tensor | None = None,
    ) -> Tensor:
        """Forecast from all regions, each weighted by its gate.

        A region with gate 0 has no say in the forecast, and the forecast has a gradient to its
        gate.

        Args:
            history: ``[batch, region, lookback * channel]`` standardised anomalies, 0 where
                missing.
            seen: The same shape, 1 where observed.
            calendar: ``[batch, feature]``.
            gate: ``[batch, region]`` or ``[region]`` θ ⊙ mask; 0 = switched off.
            targets: ``[target]`` regions to forecast; None: all.

        Returns:
            ``[batch, target, horizon * channel]``.
        """
        raise NotImplementedError

    def reads(self, targets: Tensor) -> Tensor | None:
        """Regions whose own history the forecast of some targets needs, with repetitions.

        Of all others it needs means over the network alone, for which a sample can stand: see
        `forecast_from`. None: it needs every region.

        Args:
            targets: ``[target]``.
        """
        return None

    def forecast_from(
        self,
        sources: Sources,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        targets: Tensor,
    ) -> Tensor:
        """Forecast some targets from a part of the regions; only where `reads` names any.

        Args:
            sources: The part; all that the targets' `reads` names are in it.
            history: ``[batch, source, lookback * channel]``, as in `forward`.
            seen: The same shape.
            calendar: ``[batch, feature]``.
            gate: ``[batch, source]`` or ``[source]``.
            targets: ``[target]``.

        Returns:
            ``[batch, target, horizon * channel]``.
        """
        raise NotImplementedError

    def tune(self, loss: Callable[[], float]) -> float:
        """Take the settings with the lowest loss on validation; only where `closed_form`.

        Args:
            loss: That of the forecaster as it is now.

        Returns:
            The lowest loss.
        """
        raise NotImplementedError

    def compact(self, gate: Tensor) -> Compact:
        """The same forecaster with the kept regions (gate not 0) as its only input.

        This one gives the whole architecture zeros for the others: the same forecast for the same
        work.

        Args:
            gate: ``[region]``.
        """
        kept = torch.nonzero(gate)[:, 0]
        compact = Spread(self, len(gate), len(kept))
        compact.load_state_dict(
            {f"whole.{name}": tensor for name, tensor in self.state_dict().items()}
            | {"gate": gate.detach(), "kept": kept}
        )
        return compact.to(gate.device)

    def config(self) -> dict[str, Any]:
        """What `from_config` needs besides the state, as JSON holds it."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An empty one of the same shape, ready to load a state."""
        raise NotImplementedError

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> Compact:
        """A compact forecaster of the same shape, ready to load a state."""
        return Spread(cls.from_config(config["whole"]), config["regions"], config["kept"])


class Spread(Compact):
    """A whole architecture that sees the kept regions, and zeros in place of the others."""

    gate: Tensor
    kept: Tensor

    def __init__(self, whole: Backbone, regions: int, kept: int) -> None:
        super().__init__()
        self.whole = type(whole).from_config(whole.config())
        self.register_buffer("gate", torch.zeros(regions))
        self.register_buffer("kept", torch.zeros(kept, dtype=torch.int64))

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        shape = history.shape[0], self.gate.shape[0], history.shape[2]
        whole_history, whole_seen = (
            part.new_zeros(shape).index_copy(1, self.kept, part) for part in (history, seen)
        )
        forecast: Tensor = self.whole(whole_history, whole_seen, calendar, self.gate)
        return forecast

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        return {
            "whole": self.whole.config(),
            "regions": len(self.gate),
            "kept": len(self.kept),
        }
