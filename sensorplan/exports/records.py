"""Tables of records as CSV."""

from collections.abc import Sequence

import pandas as pd

from sensorplan.plan import Record


def records_csv(rows: Sequence[Record], kind: type[Record], digits: int = 6) -> bytes:
    """One row a record, in the order given; a column a field; empty where there is no value.

    Args:
        rows: The records.
        kind: Their class, which names the columns even where there is no row.
        digits: Of a number.
    """
    table = pd.DataFrame([row.model_dump() for row in rows], columns=list(kind.model_fields))
    return table.to_csv(index=False, lineterminator="\n", float_format=f"%.{digits}g").encode()
