"""One class per engine, all alike: what it needs, how it opens a file, how it runs it.

    engine = Engine(files, threads)      files: what prepare.py made of one network and scheme; may raise Missing
    engine.run()                         one inference on the input given by set_input: this is what is timed
    engine.output()                      the last answer, as a flat float32 array

Each gets the fastest settings its documentation offers for one picture at a time, and its input and output in place before the
clock starts, so that only the inference is timed.
"""
import ctypes
import os

import numpy as np


class Missing(Exception):
    """An engine that is not installed here, or a file that this engine has not got."""


def need(files, key):
    path = files.get(key)
    if not path or not os.path.exists(path):
        raise Missing(f"no {key} file")
    return path


# ---------------------------------------------------------------------------------------------------------- octet ----

class OctetOptions(ctypes.Structure):
    _fields_ = [("isa", ctypes.c_char_p), ("threads", ctypes.c_int), ("profile", ctypes.c_int)]


class OctetInfo(ctypes.Structure):
    """oct_session_info of octet.h."""
    _fields_ = [("isa", ctypes.c_char_p), ("threads", ctypes.c_int), ("arena_bytes", ctypes.c_size_t),
                ("arena_bound", ctypes.c_size_t), ("packed_bytes", ctypes.c_size_t)]


class OctetShape(ctypes.Structure):
    _fields_ = [("rank", ctypes.c_int), ("dims", ctypes.c_int64 * 8)]


class OctetLayer(ctypes.Structure):
    """oct_layer_info of octet.h."""
    _fields_ = [("name", ctypes.c_char_p), ("op", ctypes.c_char_p), ("precision", ctypes.c_char_p), ("act", ctypes.c_char_p),
                ("input", OctetShape), ("output", OctetShape), ("out_dtype", ctypes.c_int), ("macs", ctypes.c_int64),
                ("weight_bytes", ctypes.c_size_t), ("fused_residual", ctypes.c_int)]


def open_library(path):
    """liboctet.so with the result types that are not int."""
    library = ctypes.CDLL(os.path.abspath(path))
    library.oct_error.restype = library.oct_version.restype = ctypes.c_char_p
    library.oct_output_data.restype = ctypes.c_void_p
    library.oct_model_layer_count.restype = ctypes.c_size_t
    for name in ("oct_session_free", "oct_model_free"):
        getattr(library, name).restype = None
    return library


class Octet:
    name, library_path, isa = "octet", None, None

    def __init__(self, files, threads):
        self.lib = open_library(self.library_path)
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        self.check(self.lib.oct_model_load(need(files, "octet").encode(), ctypes.byref(self.model)))
        options = OctetOptions(self.isa.encode() if self.isa else None, threads, 0)
        self.check(self.lib.oct_session_create(self.model, ctypes.byref(options), ctypes.byref(self.session)))
        self.index = ctypes.c_size_t(0)
        self.run_it = self.lib.oct_run

    @classmethod
    def version(cls):
        if not cls.library_path or not os.path.exists(cls.library_path):
            raise Missing(f"no library at {cls.library_path}")
        return open_library(cls.library_path).oct_version().decode()

    def check(self, status):
        if status:
            raise RuntimeError(self.lib.oct_error().decode())

    def set_input(self, x):
        x = np.ascontiguousarray(x, np.float32)
        self.check(self.lib.oct_set_input(self.session, self.index, x.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(x.nbytes)))

    def run(self):
        if self.run_it(self.session):
            raise RuntimeError(self.lib.oct_error().decode())

    def output(self):
        # the description of output 0 would tell its size; asking with a wrong one and the right one is not needed
        at = self.lib.oct_output_data(self.session, self.index)
        return np.ctypeslib.as_array(ctypes.cast(at, ctypes.POINTER(ctypes.c_float)), (self.output_elements(),)).copy()

    def output_elements(self):
        """The product of the last layer's output shape."""
        layer = self.layer(self.lib.oct_model_layer_count(self.model) - 1)
        return int(np.prod(layer.output.dims[:layer.output.rank]))

    def layer(self, i):
        layer = OctetLayer()
        self.check(self.lib.oct_model_layer(self.model, ctypes.c_size_t(i), ctypes.byref(layer)))
        return layer

    def facts(self):
        """What the JSON says of octet beside the times."""
        info = OctetInfo()
        self.check(self.lib.oct_session_describe(self.session, ctypes.byref(info)))
        layers = [self.layer(i) for i in range(self.lib.oct_model_layer_count(self.model))]
        return {"isa": info.isa.decode(), "arena_bytes": info.arena_bytes, "packed_bytes": info.packed_bytes,
                "weight_bytes": sum(l.weight_bytes for l in layers), "macs": sum(l.macs for l in layers)}

    def close(self):
        self.lib.oct_session_free(self.session)
        self.lib.oct_model_free(self.model)


# --------------------------------------------------------------------------------------------------- ONNX Runtime ----

class OnnxRuntime:
    name, ties_itself = "onnxruntime", True

    def __init__(self, files, threads):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        if threads > 1:     # the calling thread has the first CPU; CPUs count from 1 here
            rest = sorted(os.sched_getaffinity(0))[1:threads]
            options.add_session_config_entry("session.intra_op_thread_affinities", ";".join(str(c + 1) for c in rest))
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(need(files, "onnx"), options, providers=["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        self.value = onnxruntime.OrtValue

    @staticmethod
    def version():
        return module_version("onnxruntime")

    def set_input(self, x):
        self.input = self.value.ortvalue_from_numpy(np.ascontiguousarray(x, np.float32))
        self.binding.bind_ortvalue_input(self.session.get_inputs()[0].name, self.input)
        self.binding.bind_output(self.session.get_outputs()[0].name, "cpu")
        self.run()                                  # tells the shape of the output,
        self.result = self.binding.get_outputs()[0]
        self.binding.clear_binding_outputs()        # which then has its place for good
        self.binding.bind_ortvalue_output(self.session.get_outputs()[0].name, self.result)

    def run(self):
        self.session.run_with_iobinding(self.binding)

    def output(self):
        return self.result.numpy().astype(np.float32).ravel()

    def facts(self):
        return {}

    def close(self):
        self.binding = self.session = None


# ------------------------------------------------------------------------------------------------------- OpenVINO ----

class OpenVino:
    """float32 is asked for by name: left alone, OpenVINO computes in bfloat16 where the CPU has it."""
    name = "openvino"

    def __init__(self, files, threads):
        import openvino
        core = openvino.Core()
        path = files.get("openvino") or need(files, "onnx")
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                    "INFERENCE_PRECISION_HINT": "f32", "ENABLE_HYPER_THREADING": True, "ENABLE_CPU_PINNING": False}
        self.compiled = core.compile_model(path, "CPU", settings)
        self.request = self.compiled.create_infer_request()
        self.tensor = openvino.Tensor

    @staticmethod
    def version():
        return module_version("openvino")

    def set_input(self, x):
        self.input = self.tensor(np.ascontiguousarray(x, np.float32))
        self.request.set_input_tensor(self.input)

    def run(self):
        self.request.start_async()
        self.request.wait()

    def output(self):
        return np.array(self.request.get_output_tensor(0).data, np.float32).ravel()

    def facts(self):
        return {}

    def close(self):
        self.request = self.compiled = None


# ----------------------------------------------------------------------------------------------------------- ncnn ----

class Ncnn:
    """Float only: ncnn's int8 needs its own calibration tools, which its PyPI package does not bring."""
    name = "ncnn"

    def __init__(self, files, threads):
        import ncnn
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_vulkan_compute = False
        for half in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
            setattr(self.net.opt, half, False)
        if self.net.load_param(need(files, "ncnn_param")) or self.net.load_model(need(files, "ncnn_bin")):
            raise Missing("ncnn does not load its file")
        self.mat = ncnn.Mat

    @staticmethod
    def version():
        return module_version("ncnn")

    def set_input(self, x):
        self.input = self.mat(np.ascontiguousarray(x[0], np.float32)).clone()

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.input)
        self.result = extractor.extract("out0")[1]

    def output(self):
        return np.array(self.result, np.float32).ravel()

    def facts(self):
        return {}

    def close(self):
        self.net = None


# --------------------------------------------------------------------------------------------------------- LiteRT ----

class LiteRt:
    """TensorFlow Lite under its present name. It needs .tflite files of its own, which prepare.py cannot make from ONNX."""
    name = "litert"

    def __init__(self, files, threads):
        from ai_edge_litert.interpreter import Interpreter
        self.interpreter = Interpreter(need(files, "tflite"), num_threads=threads)
        self.interpreter.allocate_tensors()

    @staticmethod
    def version():
        return module_version("ai-edge-litert", "ai_edge_litert.interpreter")

    def set_input(self, x):
        detail = self.interpreter.get_input_details()[0]
        if tuple(detail["shape"]) != x.shape:
            x = np.transpose(x, (0, 2, 3, 1))
        self.interpreter.set_tensor(detail["index"], np.ascontiguousarray(x, np.float32))

    def run(self):
        self.interpreter.invoke()

    def output(self):
        return np.array(self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"]), np.float32).ravel()

    def facts(self):
        return {}

    def close(self):
        self.interpreter = None


def module_version(package, module=None):
    """The version of an installed package that can be imported, too."""
    import importlib
    import importlib.metadata
    try:
        importlib.import_module(module or package)
        return importlib.metadata.version(package)
    except Exception as trouble:        # not installed, or broken: the same for us
        raise Missing(f"{package}: {str(trouble).splitlines()[0] if str(trouble) else 'cannot be imported'}") from None


ENGINES = {e.name: e for e in (Octet, OnnxRuntime, OpenVino, Ncnn, LiteRt)}
