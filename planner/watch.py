"""How long a search may go on, who may stop it, and whom it tells how it goes."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class News:
    """How a search stands: what it is doing, the best value found and the best bound proven so far (NaN before)."""

    doing: str
    value: float = math.nan
    bound: float = math.nan


class Watch:
    """A search's clock: asked often, so that a search ends soon after its time is up or the user cancels.

    clock : seconds from any start, given from outside (algorithms read no clock of their own). seconds : from now;
    ``inf`` for no limit. cancelled : asked at every look. hear : told the news.
    A search that is stopped returns the best plan it has with the bound proven so far.
    """

    def __init__(
        self,
        clock: Callable[[], float] = lambda: 0.0,
        *,
        seconds: float = math.inf,
        cancelled: Callable[[], bool] = lambda: False,
        hear: Callable[[News], None] = lambda news: None,
    ) -> None:
        self._clock, self._cancelled, self._hear = clock, cancelled, hear
        self._end_s = clock() + seconds

    @property
    def cancelled(self) -> bool:
        """Whether the user asked for an end."""
        return self._cancelled()

    @property
    def left_s(self) -> float:
        """Seconds left, 0 once the search must stop."""
        return 0.0 if self._cancelled() else max(self._end_s - self._clock(), 0.0)

    @property
    def over(self) -> bool:
        """Whether the search must stop."""
        return self.left_s <= 0.0

    def within(self, seconds: float) -> "Watch":
        """Return a watch for one step of the search: at most ``seconds`` of what is left."""
        return Watch(
            self._clock, seconds=min(seconds, self.left_s), cancelled=self._cancelled, hear=self._hear
        )  # fmt: skip

    def tell(self, doing: str, *, value: float = math.nan, bound: float = math.nan) -> None:
        """Tell whoever listens how the search stands."""
        self._hear(News(doing, value, bound))


#: Without a limit, and nobody listening.
FOREVER = Watch()
