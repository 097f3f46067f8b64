"""What a plan folder says of the test stretch: `conditions.csv`."""

from collections.abc import Sequence

import pandas as pd

from sensorplan.plan import ConditionRow

CONDITIONS_FILE = "conditions.csv"


def conditions_csv(rows: Sequence[ConditionRow]) -> bytes:
    """`conditions.csv`: one row a condition, in the order given; empty where there is no number."""
    table = pd.DataFrame(
        [row.model_dump() for row in rows], columns=list(ConditionRow.model_fields)
    )
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()
