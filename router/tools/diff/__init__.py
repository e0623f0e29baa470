"""`router diff`: what two sets of policies mean differently, told for whoever reviews the change.

Pure functions over two plans and the documents they came from. What a request comes to, what it may cost and how
requests fall into cells is asked of the engine's own functions.
"""

from router.tools.diff.change import Difference
from router.tools.diff.compare import compare
from router.tools.diff.side import Side, side_of

__all__ = ["Difference", "Side", "compare", "side_of"]
