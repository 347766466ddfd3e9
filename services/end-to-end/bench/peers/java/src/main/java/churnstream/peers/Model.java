package churnstream.peers;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** What does ONNX Runtime score? Up to {@link #MOST_ROWS} rows a call, on one thread; for one caller. */
final class Model implements AutoCloseable {
  /** More rows a call gain nothing. */
  static final int MOST_ROWS = 256;

  private static final Set<String> OUTPUTS = Set.of("probabilities");
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;
  private final String input;
  private final int width;
  private final FloatBuffer rows;
  /** Over the same buffer, one for each number of rows. */
  private final Map<Integer, OnnxTensor> tensors = new HashMap<>();

  Model(Path file, int width) throws OrtException {
    var options = new OrtSession.SessionOptions();
    options.setIntraOpNumThreads(1);
    options.setInterOpNumThreads(1);
    session = environment.createSession(file.toString(), options);
    input = session.getInputNames().iterator().next();
    this.width = width;
    rows =
        ByteBuffer.allocateDirect(MOST_ROWS * width * Float.BYTES)
            .order(ByteOrder.nativeOrder())
            .asFloatBuffer();
  }

  void setRow(int index, float[] row) {
    rows.put(index * width, row, 0, width);
  }

  /** Of the first rows that were set. */
  void score(int count, float[] scores) throws OrtException {
    OnnxTensor tensor = tensors.get(count);
    if (tensor == null) {
      tensor = OnnxTensor.createTensor(environment, rows.slice(0, count * width), new long[] {count, width});
      tensors.put(count, tensor);
    }
    try (var result = session.run(Map.of(input, tensor), OUTPUTS)) {
      FloatBuffer probabilities = ((OnnxTensor) result.get(0)).getFloatBuffer();
      for (int row = 0; row < count; row++) scores[row] = probabilities.get(2 * row + 1);
    }
  }

  @Override
  public void close() throws OrtException {
    for (OnnxTensor tensor : tensors.values()) tensor.close();
    session.close();
  }
}
