"""A vision model behind OpenAI-compatible servers as grounder, describer and change detector."""

from __future__ import annotations

from ..pointing import Looking, PointingModel
from .address import Address, read_address
from .answerer import RemoteAnswerer
from .pool import Patience
from .settings import SETTINGS, Settings


class RemoteModel(PointingModel):
    """Views of a scene are sent as images, several at once; any phrase may be asked. See docs/serving.md.

    Scores are exp of the mean log-probability of the tokens that write a region (uncalibrated), None where a server
    gives no log-probabilities.

    Args:
        address: the model and its servers.
        settings: how it is asked.
        patience: timeouts, tries and pauses; None for those of the settings.

    Example:
        >>> RemoteModel.at("surveyor@http://gpu1:8000/v1,http://gpu2:8000/v1").resolve("white plane")
        ('white plane',)
    """

    answerer: RemoteAnswerer

    def __init__(self, address: Address, settings: Settings | None = None, patience: Patience | None = None) -> None:
        answerer = RemoteAnswerer(address, settings, patience)
        chosen = answerer.settings
        looking = Looking(
            chosen.ground, chosen.views, chosen.most_views, chosen.overlap, chosen.second_look, chosen.retries
        )
        super().__init__(answerer, address.name, looking)

    @classmethod
    def at(cls, argument: str) -> RemoteModel:
        """The model of a spec's "MODEL@URL[,URL...][?setting=value&...]".

        Raises:
            UsageError: no address, an unknown setting, a value out of range.
        """
        address = read_address(argument, "grounder", SETTINGS)
        return cls(address, Settings.of(address.options))

    def __repr__(self) -> str:
        return f"RemoteModel({self.name!r})"

    def check_report(self) -> dict[str, str]:
        """What is declared and which servers answer, for `surveyor models check`."""
        settings, dialect = self.answerer.settings, self.answerer.tasks.dialect
        sides = f"multiples of {settings.sizes.factor} px, " if settings.sizes.factor else ""
        report = {
            "dialect": dialect.name,
            "coordinates": dialect.coordinates,
            "image sizes": f"{sides}at most {settings.max_pixels} px in all, {settings.max_bytes} bytes",
        }
        return report | self.answerer.pool.states()
