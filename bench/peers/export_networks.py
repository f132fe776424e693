#!/usr/bin/env python3
"""Writes networks of torchvision as ONNX files, with random weights: what prepare.py takes.

    python3 bench/peers/export_networks.py -o FOLDER resnet50 vgg16 ...

Needs torch, torchvision and onnx. The weights are those of test/exporters.py: seeded, with fitting batch normalisations.
"""
import argparse
import os
import sys
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test"))
from exporters import export_torchscript, network  # noqa: E402  (the path has to be known first)

PAPER = ["mobilenet_v2", "inception_v3", "resnet50", "resnet101", "resnet152", "vgg16", "vgg19"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=PAPER, help="default: the seven of the paper")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER")
    parser.add_argument("--opset", type=int, default=17)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    import torch
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    os.makedirs(args.output, exist_ok=True)
    for name in args.networks:
        model, picture = network(name, args.seed)
        path = os.path.join(args.output, name + ".onnx")
        export_torchscript(model, picture, path, args.opset)
        print(path)


if __name__ == "__main__":
    main()
