"""What the engine asks of the world. Each docstring is the contract: atomicity, failure mode, and whether it suspends.

Every port is async-shaped. `suspends` says whether its coroutines ever really wait on an event loop: `Router` drives
the engine inline and refuses a port that suspends; `AsyncRouter` refuses a Transport or Clock that does not.
Only the types in `values`, `plan` and this package cross a port. Times called `now_s` are wall-clock Unix seconds.
"""

from router.ports.acts import Act, ActKind, Note
from router.ports.counters import Balance, Counter
from router.ports.flight import Flight, Seat
from router.ports.ledger import (
    Charge,
    Crossed,
    Granted,
    Hold,
    Ledger,
    MayLose,
    Refused,
    Row,
    Settlement,
    Shortfall,
    Take,
    Watch,
)
from router.ports.limiter import (
    Admission,
    Limiter,
    LimitFull,
)
from router.ports.retries import Retries
from router.ports.stores import (
    Cache,
    CacheEntry,
    Health,
    Healths,
    KeyHealth,
    Name,
    Outcome,
)
from router.ports.transport import (
    Pending,
    Realm,
    Transport,
    WireCall,
    WireChunk,
    WireReply,
    WireStream,
)
from router.ports.world import (
    Clock,
    Draw,
    InputReader,
    Prices,
    Secrets,
    Tokens,
)

__all__ = [
    "Act",
    "ActKind",
    "Admission",
    "Balance",
    "Cache",
    "CacheEntry",
    "Charge",
    "Clock",
    "Counter",
    "Crossed",
    "Draw",
    "Flight",
    "Granted",
    "Health",
    "Healths",
    "Hold",
    "InputReader",
    "KeyHealth",
    "Ledger",
    "LimitFull",
    "Limiter",
    "MayLose",
    "Name",
    "Note",
    "Outcome",
    "Pending",
    "Prices",
    "Realm",
    "Refused",
    "Retries",
    "Row",
    "Seat",
    "Secrets",
    "Settlement",
    "Shortfall",
    "Take",
    "Tokens",
    "Transport",
    "Watch",
    "WireCall",
    "WireChunk",
    "WireReply",
    "WireStream",
]
