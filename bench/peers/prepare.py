#!/usr/bin/env python3
"""From one ONNX file to what every engine needs, in every scheme; race.py then measures it.

    python3 bench/peers/prepare.py MODEL.onnx ... -o FOLDER [--octet build/octet]

FOLDER/NAME/files.json lists what could be made, and for what could not, why. Calibration and the input that is timed are random
pictures, the same for all. Needs numpy, onnx and onnxruntime (which makes the static and the dynamic int8 file); with pnnx there
are files for ncnn, with nncf there is an int8 file of OpenVINO's own making.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys

import numpy as np


def shell(*words, folder=None):
    run = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    if run.returncode:
        raise RuntimeError((run.stderr.strip() or f"exit status {run.returncode}").splitlines()[-1])


class Job:
    """One network's folder and what has been made in it."""
    def __init__(self, onnx_path, args):
        import onnx
        self.args, self.name = args, os.path.splitext(os.path.basename(onnx_path))[0]
        self.folder = os.path.abspath(os.path.join(args.output, self.name))
        os.makedirs(self.folder, exist_ok=True)
        graph = onnx.load(onnx_path, load_external_data=False).graph
        constants = {i.name for i in graph.initializer}
        inputs = [i for i in graph.input if i.name not in constants]
        if len(inputs) != 1:
            raise RuntimeError("only networks with one input")
        self.input = inputs[0].name
        self.shape = [d.dim_value or 1 for d in inputs[0].type.tensor_type.shape.dim]
        self.f32 = self.path("f32.onnx")
        onnx.save(onnx.load(onnx_path), self.f32)
        self.samples = np.random.default_rng(args.seed).standard_normal((args.samples, *self.shape[1:]), dtype=np.float32)
        np.save(self.path("calibration.npy"), self.samples)
        self.files = {"f32": {"onnx": self.f32}, "int8-static": {}, "int8-dynamic": {}}
        self.missing = []
        if args.only:       # the rest stays as it was
            with open(self.path("files.json"), encoding="utf-8") as file:
                self.files = json.load(file)["schemes"]

    def path(self, name):
        return os.path.join(self.folder, name)

    def add(self, scheme, key, name, make):
        """Runs make(path); the file counts when that raises nothing."""
        if self.args.only not in (None, key):
            return
        path = self.path(name)
        try:
            make(path)
            self.files[scheme][key] = path
        except Exception as trouble:      # a peer that fails must not stop the others
            text = str(trouble).strip() or type(trouble).__name__
            self.missing.append(f"{scheme} {key}: {text.splitlines()[0][:200]}")

    def close(self):
        with open(self.path("files.json"), "w", encoding="utf-8") as file:
            json.dump({"model": self.name, "shape": self.shape, "calibration": self.path("calibration.npy"),
                       "schemes": self.files, "missing": self.missing}, file, indent=1)
        print(self.name, {s: sorted(f) for s, f in self.files.items()}, *self.missing, sep="\n    ", flush=True)


# ---------------------------------------------------------------------------------------------------------- octet ----

def octet_float(job, path):
    shell(job.args.octet, "import", job.f32, "-o", path)


def octet_static(job, path):
    shell(job.args.octet, "quantize", job.path("f32.oct"), "--calib", job.path("calibration.npy"), "-o", path)


def octet_dynamic(job, path):
    shell(job.args.octet, "quantize", job.path("f32.oct"), "--dynamic", "-o", path)


# --------------------------------------------------------------------------------------------------- ONNX Runtime ----

class Reader:
    """The calibration pictures as ONNX Runtime wants to be given them."""
    def __init__(self, name, samples):
        self.left = iter([{name: s[None]} for s in samples])

    def get_next(self):
        return next(self.left, None)


def ort_ready(job):
    """The file with shapes worked out and batch normalisations folded, as ONNX Runtime's guide asks for before quantization."""
    from onnxruntime.quantization.shape_inference import quant_pre_process
    ready = job.path("ready.onnx")
    if not os.path.exists(ready):
        quant_pre_process(job.f32, ready)
    return ready


def ort_static(job, path):
    """u8 activations, s8 weights per channel, as QuantizeLinear / DequantizeLinear pairs."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    quantize_static(ort_ready(job), path, Reader(job.input, job.samples), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, calibrate_method=CalibrationMethod.MinMax)


def ort_dynamic(job, path):
    """The default: what the paper measured."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(ort_ready(job), path, weight_type=QuantType.QUInt8)


# ------------------------------------------------------------------------------------------------- OpenVINO, ncnn ----

def nncf_static(job, path):
    import nncf
    import openvino
    model = openvino.Core().read_model(job.f32)
    quantized = nncf.quantize(model, nncf.Dataset([s[None] for s in job.samples]), subset_size=len(job.samples),
                              preset=nncf.QuantizationPreset.MIXED)
    openvino.save_model(quantized, path, compress_to_fp16=False)


def ncnn_float(job, path):
    """pnnx writes a dozen files; two of them are wanted."""
    import pnnx  # noqa: F401  (only to say that it is missing)
    program = shutil.which("pnnx") or os.path.join(os.path.dirname(sys.executable), "pnnx")
    scratch = job.path("pnnx")
    os.makedirs(scratch, exist_ok=True)
    shutil.copy(job.f32, os.path.join(scratch, "model.onnx"))
    shape = "[" + ",".join(map(str, job.shape)) + "]f32"
    shell(program, "model.onnx", "inputshape=" + shape, "fp16=0", folder=scratch)
    for end in ("param", "bin"):
        os.replace(os.path.join(scratch, "model.ncnn." + end), os.path.splitext(path)[0] + "." + end)
    shutil.rmtree(scratch)


def prepare(onnx_path, args):
    job = Job(onnx_path, args)
    job.add("f32", "octet", "f32.oct", lambda p: octet_float(job, p))
    job.add("int8-static", "octet", "int8-static.oct", lambda p: octet_static(job, p))
    job.add("int8-dynamic", "octet", "int8-dynamic.oct", lambda p: octet_dynamic(job, p))
    job.add("int8-static", "onnx", "int8-static.onnx", lambda p: ort_static(job, p))
    job.add("int8-dynamic", "onnx", "int8-dynamic.onnx", lambda p: ort_dynamic(job, p))
    job.add("int8-static", "openvino", "int8-nncf.xml", lambda p: nncf_static(job, p))
    job.add("f32", "ncnn_param", "f32.param", lambda p: ncnn_float(job, p))
    if "ncnn_param" in job.files["f32"]:
        job.files["f32"]["ncnn_bin"] = job.path("f32.bin")
    job.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER")
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--samples", type=int, default=8, help="random pictures for calibration")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="KEY", help="make the files of one key again: octet, onnx, openvino, ncnn_param")
    args = parser.parse_args()
    for path in args.models:
        prepare(path, args)


if __name__ == "__main__":
    main()
