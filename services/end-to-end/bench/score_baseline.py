"""The same scores by pandas and ONNX Runtime in one process: score_baseline.py MODEL SOURCE TARGET"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd


def main(model: Path, source: Path, target: Path) -> None:
    started = time.perf_counter()
    columns = json.loads((model / "columns.json").read_text("utf-8"))
    session = onnxruntime.InferenceSession(str(model / "model.onnx"))
    frame = pd.read_csv(source) if source.suffix == ".csv" else pd.read_parquet(source)
    rows = frame[columns].to_numpy(np.float32)
    name = session.get_inputs()[0].name
    scores = session.run(["probabilities"], {name: rows})[0][:, 1]
    frame[["player_id", "as_of"]].assign(score=scores).to_parquet(target)
    figures = {
        "rows": len(frame),
        "mean": float(scores.mean(dtype=np.float64)),
        "seconds": time.perf_counter() - started,
        # KiB on Linux, bytes on macOS.
        "peakRssBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
