#!/usr/bin/env python3
"""Do the files that PyTorch's exporters write arrive unchanged?  Optional: no build and no test needs this script.

Every network of torchvision below, with random weights, is exported with both exporters and several opsets; `octet import`
and `octet run` then have to give PyTorch's own answers. docs/RESULTS.md holds what came out.

    python3 test/exporters.py --octet build/octet --work /tmp/exports            everything: some hours, and 2 GB of disk
    python3 test/exporters.py --only mobilenet_v2,vgg16 --opsets 13,18 ...       a part of it
    python3 test/exporters.py --table /tmp/exports/results.jsonl                 the table of all results so far

Needs torch, torchvision, onnx, onnxscript and numpy. One export lies on the disk at a time; it is removed when it has passed.
"""
import argparse
import contextlib
import io
import json
import logging
import os
import shutil
import subprocess
import time
import warnings

NETWORKS = ["mobilenet_v2", "mobilenet_v3_large", "inception_v3", "resnet18", "resnet50", "resnet101", "resnet152", "vgg16",
            "vgg19", "squeezenet1_1", "googlenet", "densenet121", "shufflenet_v2_x1_0", "efficientnet_b0", "mnasnet1_0",
            "regnet_y_400mf"]
OPSETS = [13, 14, 15, 16, 17, 18]
LIMIT = 1e-4        # largest error over the largest answer


def export_torchscript(model, picture, path, opset):
    import torch
    torch.onnx.export(model, (picture,), path, opset_version=opset, dynamo=False)


def export_torchscript_raw(model, picture, path, opset):
    """As training left it: batch normalisations stay nodes, nothing is folded; a free batch size."""
    import torch
    torch.onnx.export(model, (picture,), path, opset_version=opset, dynamo=False, do_constant_folding=False,
                      training=torch.onnx.TrainingMode.PRESERVE, input_names=["x"], dynamic_axes={"x": {0: "n"}})


def export_torchscript_inputs(model, picture, path, opset):
    """Weights that are listed among the inputs too, as files of before 2019 have them."""
    import torch
    torch.onnx.export(model, (picture,), path, opset_version=opset, dynamo=False, keep_initializers_as_inputs=True)


def export_dynamo(model, picture, path, opset):
    import torch
    torch.onnx.export(model, (picture,), path, opset_version=opset, dynamo=True, external_data=True, verbose=False)


def export_dynamo_raw(model, picture, path, opset):
    """Without the exporter's optimiser, weights in the file, a free batch size."""
    import torch
    torch.onnx.export(model, (picture,), path, opset_version=opset, dynamo=True, external_data=False, verbose=False,
                      optimize=False, dynamic_shapes=({0: torch.export.Dim("n")},))


EXPORTERS = {"torchscript": export_torchscript, "torchscript-raw": export_torchscript_raw,
             "torchscript-inputs": export_torchscript_inputs, "dynamo": export_dynamo, "dynamo-raw": export_dynamo_raw}


def network(name, seed):
    """The network in evaluation mode, with statistics in its batch normalisations that fit its random weights."""
    import torch
    import torchvision
    torch.manual_seed(seed)
    more = {}
    if name in ("googlenet", "inception_v3"):
        more = {"init_weights": False, "aux_logits": True}
    model = getattr(torchvision.models, name)(weights=None, **more)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.3, 0.3)
        norm.momentum = None        # the plain mean of what it sees
    for block in model.modules():
        # Branches that are as loud as what they are added to make deep residual networks chaotic, rounding errors included:
        # PyTorch's float32 then differs from its own float64 by 2e-4 on resnet152. Trained networks have quiet branches.
        last = getattr(block, "bn3", None) or getattr(block, "bn2", None)
        if last is not None:
            torch.nn.init.uniform_(last.weight, 0.1, 0.4)
    size = 299 if name == "inception_v3" else 224
    if norms:
        model.train()
        for module in model.modules():
            if not isinstance(module, torch.nn.BatchNorm2d) and not list(module.children()):
                module.eval()       # dropout
        with torch.no_grad():
            model(torch.randn(4, 3, size, size))
    model.eval()
    return model, torch.randn(1, 3, size, size)


def operators(path):
    """The operator names in a file and its opset."""
    import onnx
    model = onnx.load(path, load_external_data=False)
    opset = max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    return opset, sorted({n.op_type for n in model.graph.node})


def command(octet, *words):
    """Runs octet; its complaint, or nothing."""
    run = subprocess.run([octet, *words], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else (run.stderr.strip() or f"exit status {run.returncode}")


def compare(octet, folder, path, picture, expected):
    """Imports and runs a file: {"error": ...} with the largest relative error, or {"failed": sentence}."""
    import numpy as np
    oct_file, data, answer = (os.path.join(folder, n) for n in ("model.oct", "x.npy", "y.npy"))
    np.save(data, picture.numpy())
    failed = command(octet, "import", path, "-o", oct_file)
    failed = failed or command(octet, "run", oct_file, "--input", data, "--output", answer, "--threads", "1")
    if failed:
        return {"failed": failed}
    got, want = np.load(answer), expected.numpy()
    if got.size != want.size or not np.isfinite(got).all():
        return {"failed": f"answer of shape {got.shape}, or with infinities; expected {want.shape}"}
    return {"error": float(np.abs(got.reshape(want.shape) - want).max() / np.abs(want).max())}


def try_one(args, model, picture, name, exporter, opset):
    """One network, one exporter, one opset; a line of the results."""
    import torch
    folder = os.path.join(args.work, f"{name}-{exporter}-{opset}")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    path = os.path.join(folder, "model.onnx")
    line = {"network": name, "exporter": exporter, "asked": opset, "torch": torch.__version__}
    begin = time.time()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            EXPORTERS[exporter](model, picture, path, opset)
    except Exception as trouble:        # whatever an exporter throws is a result, too
        line["not_exported"] = str(trouble).strip().split("\n")[0][:200]
        shutil.rmtree(folder)
        return line
    line["export_seconds"] = round(time.time() - begin, 1)
    line["opset"], line["operators"] = operators(path)
    line["external"] = any(f.endswith(".data") for f in os.listdir(folder))
    with torch.no_grad():
        line.update(compare(args.octet, folder, path, picture, model(picture)))
    if line.get("error", 1) <= LIMIT and not args.keep:
        shutil.rmtree(folder)
    return line


def table(path):
    """The results as Markdown: a row per network, a column per exporter; the worst error and the opsets."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(text) for text in file]
    last = {(l["network"], l["exporter"], l["asked"]): l for l in lines}
    names = [n for n in NETWORKS if any(k[0] == n for k in last)]
    kinds = [e for e in EXPORTERS if any(k[1] == e for k in last)]
    print("| network | " + " | ".join(kinds) + " |\n|---" + "|---" * len(kinds) + "|")
    for name in names:
        cells = []
        for kind in kinds:
            some = [l for k, l in sorted(last.items()) if k[:2] == (name, kind)]
            good = [l for l in some if l.get("error", 1) <= LIMIT]
            text = f"{len(good)} of {len(some)}" + (f", {max(l['error'] for l in good):.1e}" if good else "")
            cells.append(text if some else "-")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print()
    for line in last.values():
        if line.get("error", 1) > LIMIT:
            print(f"- {line['network']}, {line['exporter']}, opset {line['asked']}: "
                  + str(line.get("not_exported") or line.get("failed") or f"error {line.get('error')}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--octet", default="build/octet")
    parser.add_argument("--work", default="/tmp/octet-exports", help="folder for the files and results.jsonl")
    parser.add_argument("--only", help="networks, separated by commas")
    parser.add_argument("--exporters", default="torchscript,dynamo", help=", ".join(EXPORTERS))
    parser.add_argument("--opsets", default=",".join(map(str, OPSETS)))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="do not remove what passed")
    parser.add_argument("--table", metavar="FILE", help="only print the table of these results")
    args = parser.parse_args()
    if args.table:
        table(args.table)
        return
    import torch
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    os.makedirs(args.work, exist_ok=True)
    for name in args.only.split(",") if args.only else NETWORKS:
        model, picture = network(name, args.seed)
        for exporter in args.exporters.split(","):
            for opset in map(int, args.opsets.split(",")):
                line = try_one(args, model, picture, name, exporter, opset)
                with open(os.path.join(args.work, "results.jsonl"), "a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(name, exporter, opset, line.get("opset"), line.get("error", line.get("failed", line.get("not_exported"))),
                      flush=True)


if __name__ == "__main__":
    main()
