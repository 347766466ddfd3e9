"""The same scores by pandas and ONNX Runtime: score_baseline.py MODEL SOURCE TARGET"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd


def main(model: Path, source: Path, target: Path) -> None:
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
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
