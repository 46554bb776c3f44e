"""Rows of a table that lie anywhere in memory, brought together as float32."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

AHEAD = 3  # rows that are on their way from memory while one is copied
LINE = 64  # bytes of a cache line


def gather(table: NDArray[Any], nodes: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    """Copy the rows nodes int32 [P] of table [N, W] to out float32 [P, W].

    table: float32, or uint16 that holds the upper halves of float32 numbers (bfloat16).
    """
    if table.dtype == np.uint16:
        _gather(table, nodes, out.view(np.uint32), np.uint32(16), LINE // 2)
    else:
        _gather(table.view(np.uint32), nodes, out.view(np.uint32), np.uint32(0), LINE // 4)


@intrinsic  # type: ignore[untyped-decorator]
def _fetch(context: Any, array: Any, at: Any) -> Any:
    """Ask for the cache line of array[at] (a flat, contiguous array) without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        number, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(builder.gep(array.data, [arguments[1]]), pointer)
        builder.call(function, [address, number(0), number(3), number(1)])  # for reading, into all caches, data
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@numba.njit(cache=True, nogil=True)
def _gather(table, nodes, out, shift, line):  # type: ignore[no-untyped-def]
    """`shift` also keeps the compiler from calling a copying routine, which is slow for rows this short."""
    width, flat = table.shape[1], table.reshape(-1)
    for at in range(len(nodes)):
        if at + AHEAD < len(nodes):
            begin = np.int64(nodes[at + AHEAD]) * width
            for column in range(0, width, line):
                _fetch(flat, begin + column)
        row, mine = table[np.uint32(nodes[at])], out[at]
        for column in range(width):
            mine[column] = np.uint32(row[column]) << shift
