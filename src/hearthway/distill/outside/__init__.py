"""Teachers that the user brings: an ONNX model, or a language model behind a local endpoint."""
