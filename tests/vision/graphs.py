#!/usr/bin/env python3
"""Makes the small ONNX graphs of the tests: OUTDIR/NAME.onnx for each row of GRAPHS.

usage: graphs.py OUTDIR [STAMP]

Without python3-onnx no graph is made, OUTDIR/SKIP says why, and the tests skip. STAMP is written
last, for the build.
"""
import pathlib
import sys

try:
    from onnx import TensorProto, helper, numpy_helper
    import numpy
except ImportError as e:
    MISSING = f"python3-onnx is not installed ({e})"
else:
    MISSING = None


def value(name, dims, kind="FLOAT"):
    """A graph's input or output; a text is a named open size, None an unnamed one."""
    return helper.make_tensor_value_info(name, getattr(TensorProto, kind), dims)


def constant(name, array):
    return numpy_helper.from_array(numpy.asarray(array), name)


def model(nodes, inputs, outputs, constants=(), metadata=None):
    """Opset 13, IR version 7: what any ONNX Runtime of the last years takes."""
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)],
                             producer_name="saccade-tests")
    made.ir_version = 7
    helper.set_model_props(made, metadata or {})
    return made


def add_one(dims, kind="FLOAT", dtype="float32"):
    return model([helper.make_node("Add", ["x", "one"], ["y"])],
                 [value("x", dims, kind)], [value("y", dims, kind)],
                 [constant("one", numpy.ones(1, dtype))])


def identities(inputs, outputs, dims=(1,), names=("in{}", "out{}")):
    """As many inputs and outputs as said; every output is the first input."""
    ins = [names[0].format(i) for i in range(inputs)]
    outs = [names[1].format(i) for i in range(outputs)]
    nodes = [helper.make_node("Identity", [ins[0]], [o]) for o in outs]
    return model(nodes, [value(n, dims) for n in ins], [value(n, dims) for n in outs])


def static_f32():
    """y = x + 1 of two rows, no more and no less."""
    return add_one((2, 3))


def dynamic_f32():
    return add_one(("batch", 3, 2))


def unnamed_f32():
    """Open sizes that have no name."""
    return add_one((None, 3, None))


def half():
    return add_one(("batch", 4), "FLOAT16", "float16")


def int64():
    return add_one(("batch", 2), "INT64", "int64")


def sum_difference():
    """Two inputs of one batch, two outputs."""
    dims = ("batch", 2)
    return model([helper.make_node("Add", ["a", "b"], ["sum"]),
                  helper.make_node("Sub", ["a", "b"], ["difference"])],
                 [value("a", dims), value("b", dims)],
                 [value("sum", dims), value("difference", dims)])


def nonzero():
    """The output's size depends on the values: (1, how many are not zero)."""
    return model([helper.make_node("NonZero", ["x"], ["y"])],
                 [value("x", ("n",))], [value("y", (1, "found"), "INT64")])


def metadata():
    made = identities(1, 1)
    helper.set_model_props(made, {"names": "{0: 'person', 1: 'bicycle'}", "stride": "32",
                                  "empty": "", "long": "x" * 100000})
    return made


def no_shape():
    """The graph does not say the rank."""
    return model([helper.make_node("Identity", ["x"], ["y"])], [value("x", None)],
                 [value("y", None)])


def rank7():
    return identities(1, 1, (1,) * 7)


def inputs9():
    return identities(9, 1)


def outputs9():
    return identities(1, 9)


def inputs8_outputs8():
    return identities(8, 8)


def long_name():
    return identities(1, 1, names=("in{}" + "x" * 200, "out{}"))


def zero_size():
    return identities(1, 1, (0, 3))


def huge_size():
    """Declares more elements than any memory has."""
    return identities(1, 1, (2**40, 2**40))


def string():
    """Opens, though nobody here can run it."""
    return model([helper.make_node("Identity", ["x"], ["y"])], [value("x", (1,), "STRING")],
                 [value("y", (1,), "STRING")])


def sequence():
    """An output that is no tensor."""
    out = helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None)
    return model([helper.make_node("SequenceConstruct", ["x"], ["y"])], [value("x", (1,))], [out])


def unknown_operator():
    return model([helper.make_node("NoSuchOperator", ["x"], ["y"], domain="nowhere")],
                 [value("x", (1,))], [value("y", (1,))])


def external():
    """Weights in another file, above the model's folder."""
    weight = constant("one", numpy.ones(1, "float32"))
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, text in (("location", "../outside.bin"), ("offset", "0"), ("length", "4")):
        weight.external_data.add(key=key, value=text)
    return model([helper.make_node("Add", ["x", "one"], ["y"])], [value("x", (1,))],
                 [value("y", (1,))], [weight])


def matmul():
    """Enough work that the threads of a session have something to do."""
    rng = numpy.random.default_rng(1)
    weight = constant("w", rng.standard_normal((256, 256), "float32") / 16)
    nodes = [helper.make_node("MatMul", [f"h{i}" if i else "x", "w"], [f"h{i + 1}"])
             for i in range(7)]
    nodes.append(helper.make_node("MatMul", ["h7", "w"], ["y"]))
    return model(nodes, [value("x", ("batch", 256))], [value("y", ("batch", 256))], [weight])


GRAPHS = {
    "static_f32": static_f32,
    "dynamic_f32": dynamic_f32,
    "unnamed_f32": unnamed_f32,
    "half": half,
    "int64": int64,
    "sum_difference": sum_difference,
    "nonzero": nonzero,
    "metadata": metadata,
    "no_shape": no_shape,
    "rank7": rank7,
    "inputs9": inputs9,
    "outputs9": outputs9,
    "inputs8_outputs8": inputs8_outputs8,
    "long_name": long_name,
    "zero_size": zero_size,
    "huge_size": huge_size,
    "string": string,
    "sequence": sequence,
    "unknown_operator": unknown_operator,
    "external": external,
    "matmul": matmul,
}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    skip = out / "SKIP"
    if MISSING:
        skip.write_text(MISSING)
    else:
        skip.unlink(missing_ok=True)
        from graphs_families import GRAPHS as families  # needs onnx, and this file
        GRAPHS.update(families)
        for name, make in GRAPHS.items():
            (out / f"{name}.onnx").write_bytes(make().SerializeToString())
    if len(sys.argv) > 2:
        pathlib.Path(sys.argv[2]).write_text(f"{0 if MISSING else len(GRAPHS)} graphs\n")


if __name__ == "__main__":
    main()
