#!/usr/bin/env python3
"""Trains the demo network and writes every binary file of this folder.

Nothing in octet needs this script: its results lie beside it. It is here so that they can be made again.
Needs torch, onnx, onnxscript, onnxruntime, scikit-learn and numpy (any recent version); a few minutes on one CPU core.

    python3 train_digits.py [FOLDER]      writes into FOLDER, by default the folder of this script

Same versions of the packages, same seed: same files. Other versions move the accuracy by some tenths of a percent.
"""
import os
import sys

import numpy as np
import onnx
import onnxruntime
import onnxscript.optimizer
import torch
from onnx_ir.passes.common import RemoveUnusedNodesPass
from sklearn.datasets import load_digits
from torch import nn

SEED = 20
TEST, CALIB = 500, 150          # samples; all others are for training
EPOCHS, BATCH = 60, 64


def block(c_in, c_out, kernel, stride=1, groups=1):
    """Convolution and batch normalisation; the activation is the caller's."""
    conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out))


class Digits(nn.Module):
    """One of each: convolution, depthwise and pointwise convolution, residual add, max and average pooling, dense."""

    def __init__(self):
        super().__init__()
        self.stem = block(1, 32, 3)                      # 16x16
        self.depthwise1 = block(32, 32, 3, groups=32)
        self.pointwise1 = block(32, 64, 1)
        self.residual1 = block(64, 64, 3)                # 8x8, after the pool
        self.residual2 = block(64, 64, 3)
        self.depthwise2 = block(64, 64, 3, stride=2, groups=64)
        self.pointwise2 = block(64, 128, 1)              # 4x4
        self.dense = nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = nn.functional.relu6(self.depthwise1(x))
        x = torch.relu(self.pointwise1(x))
        x = nn.functional.max_pool2d(x, 2)
        x = torch.relu(x + self.residual2(torch.relu(self.residual1(x))))
        x = nn.functional.relu6(self.depthwise2(x))
        x = torch.relu(self.pointwise2(x))
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.dense(torch.flatten(x, 1))


def load():
    """Pictures as bytes N x 1 x 16 x 16 and their labels, shuffled: the 8x8 counts 0..16, enlarged (bilinear) and scaled to 0..255."""
    digits = load_digits()
    small = torch.tensor(digits.images, dtype=torch.float32)[:, None]
    large = nn.functional.interpolate(small, size=(16, 16), mode="bilinear", align_corners=False)
    pictures = (large * (255.0 / 16.0)).round().clamp(0, 255).to(torch.uint8)
    order = torch.from_numpy(np.random.RandomState(SEED).permutation(len(pictures)))
    return pictures[order], torch.tensor(digits.target)[order]


def split(pictures, labels):
    """test, calib, train: disjoint in samples, and free of pictures that also occur in an earlier part."""
    seen, parts, index = set(), [], 0
    for wanted in (TEST, CALIB, len(pictures)):
        chosen = []
        while index < len(pictures) and len(chosen) < wanted:
            key = pictures[index].numpy().tobytes()
            if key not in seen:
                chosen.append(index)
            index += 1
        seen.update(pictures[i].numpy().tobytes() for i in chosen)
        parts.append((pictures[chosen], labels[chosen]))
    return parts


def jitter(x, generator):
    """Every picture moved by up to one pixel each way, and its strokes made a little fainter or stronger."""
    moved = torch.empty_like(x)
    shifts = torch.randint(-1, 2, (len(x), 2), generator=generator)
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    for i, (dy, dx) in enumerate(shifts.tolist()):
        moved[i] = padded[i, :, 1 + dy:17 + dy, 1 + dx:17 + dx]
    gain = 0.85 + 0.3 * torch.rand((len(x), 1, 1, 1), generator=generator)
    return (moved * gain).clamp(0, 1)


def train(pictures, labels):
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    network = Digits()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    batches = (len(pictures) + BATCH - 1) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=EPOCHS * batches)
    x_all = pictures.float() / 255.0
    for epoch in range(EPOCHS):
        network.train()
        total = 0.0
        order = torch.randperm(len(x_all), generator=generator)
        for part in order.split(BATCH):
            loss = nn.functional.cross_entropy(network(jitter(x_all[part], generator)), labels[part], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(part)
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: loss {total / len(x_all):.4f}", flush=True)
    return network.eval()


def export(network, path):
    """Constants are folded, batch normalisation is not: that is left to octet's optimiser."""
    program = torch.onnx.export(network, (torch.zeros(1, 1, 16, 16),), dynamo=True, optimize=False, opset_version=18,
                                input_names=["image"], output_names=["logits"])
    onnxscript.optimizer.fold_constants(program.model)
    RemoveUnusedNodesPass()(program.model)
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]          # the exporter's notes hold paths of the machine it ran on
        node.doc_string = ""
        if node.op_type in ("Conv", "Gemm"):
            node.name = node.input[1].split(".")[0]     # "stem.0.weight" -> "stem": names that say something in a table
    for value in list(model.graph.value_info) + list(model.graph.input) + list(model.graph.output):
        del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def top1(path, pictures, labels):
    """By ONNX Runtime, from the file: what octet's float result is to be compared with."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    right = 0
    for picture, label in zip(pictures.numpy(), labels.numpy()):
        x = picture[None].astype(np.float32) / 255.0
        right += int(session.run(None, {"image": x})[0].argmax() == label)
    return right


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    test, calib, training = split(*load())
    print("samples: train", len(training[0]), "calib", len(calib[0]), "test", len(test[0]))
    network = train(*training)
    path = os.path.join(folder, "digits.onnx")
    export(network, path)
    for name, (pictures, labels) in (("test", test), ("calib", calib)):
        pictures.numpy().tofile(os.path.join(folder, f"digits_{name}.u8"))
        if name == "test":
            labels.numpy().astype(np.uint8).tofile(os.path.join(folder, f"digits_{name}_labels.u8"))
        right = top1(path, pictures, labels)
        print(f"{name}: {right} of {len(labels)} right = {100.0 * right / len(labels):.2f} %")


if __name__ == "__main__":
    main()
