"""Makes a detector slow without changing what it finds.

usage: slow_model.py IN.onnx OUT.onnx GFLOP
A convolution of about that much work looks at the input; its mean, times next to nothing, is added to the
first output.
"""
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper


def dims(value):
    return [d.dim_value for d in value.type.tensor_type.shape.dim]


def main():
    source, target, gflop = sys.argv[1], sys.argv[2], float(sys.argv[3])
    model = onnx.load(source)
    graph = model.graph
    given, found = graph.input[0], graph.output[0]
    _, channels, height, width = dims(given)
    wide = 32
    layers = max(1, round(gflop * 1e9 / (2 * 9 * wide * wide * height * width)))
    for node in graph.node:
        node.output[:] = ["slow_found" if name == found.name else name for name in node.output]
        node.input[:] = ["slow_found" if name == found.name else name for name in node.input]
    random = np.random.default_rng(1)
    last = given.name
    for i in range(layers + 1):
        weights = random.normal(0, 0.05, (wide, wide if i else channels, 3, 3)).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(weights, f"slow_w{i}"))
        graph.node.append(helper.make_node("Conv", [last, f"slow_w{i}"], [f"slow_{i}"], pads=[1, 1, 1, 1]))
        last = f"slow_{i}"
    rank = len(dims(found))
    graph.initializer.append(numpy_helper.from_array(np.float32(1e-30).reshape([1] * rank), "slow_little"))
    graph.node.append(helper.make_node("ReduceMean", [last], ["slow_mean"], keepdims=0))
    graph.node.append(helper.make_node("Mul", ["slow_mean", "slow_little"], ["slow_add"]))
    graph.node.append(helper.make_node("Add", ["slow_found", "slow_add"], [found.name]))
    onnx.save(model, target)


main()
