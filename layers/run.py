"""One analysis as it is kept: what was asked, of which data, and what came out."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ID_DIGITS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """An analysis: the same kind, parameters and inputs with the same software give the same table bytes.

    kind : "coverage", ...; parameters : what was asked, JSON values; inputs : layer name -> content hash.
    tables : name -> result table; software : version that computed it; seconds : CPU seconds it took.
    created_at : UTC, naive, given by the store; None before that.
    """

    kind: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=lambda: MappingProxyType({}))
    software: str = ""
    seconds: float = 0.0
    created_at: datetime | None = None

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that name what went in: kind, parameters, inputs and software."""
        asked = [self.kind, dict(self.parameters), dict(self.inputs), self.software]
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """Return ``table`` as Parquet: the same values give the same bytes. The index is not kept."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), sink, compression="zstd")
    return bytes(sink.getvalue())


def table_from_parquet(data: bytes) -> pd.DataFrame:
    """Return the table that ``parquet_bytes`` wrote."""
    table: pd.DataFrame = pq.read_table(pa.BufferReader(data)).to_pandas()
    return table
