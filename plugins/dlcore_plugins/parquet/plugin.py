"""What the parquet plugin offers. Imports dlcore only, so listing it is free."""

from __future__ import annotations

from dlcore import Component, hookimpl


@hookimpl
def register_prediction_writers() -> list[Component]:
    return [
        Component(
            "parquet",
            "dlcore_plugins.parquet.writer:ParquetWriter",
            summary="A long table with a row for each keypoint found, for pandas, polars and R.",
            extra="dlcore[parquet]",
        ),
    ]
