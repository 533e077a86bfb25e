"""Open weight files, shared by all models of the process: opening costs 0.1 s and the working memory hundreds of MB."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

_lock = threading.Lock()


def session(weights: Path, threads: int, *, hoards: bool = True) -> Any:
    """The onnxruntime session of a file, opened once for as long as the file stays as it is.

    Args:
        weights: an ONNX file.
        threads: processors that one call uses; 0 for all.
        hoards: keeps working memory for the next call, which is quicker; for inputs of many large sizes it adds up.
    """
    with _lock:
        return _open(str(weights), weights.stat().st_mtime_ns, threads, hoards)


@lru_cache(maxsize=4)
def _open(path: str, changed_ns: int, threads: int, hoards: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = hoards
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
