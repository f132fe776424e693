#!/usr/bin/env python3
"""Do the factors of `octet-bench explain` multiply to the speed-up that was measured, for everything there is?  Optional: no build and
no test needs this script; test/suite_bench_explain.c does the same with the small networks.

    python3 test/explain_zoo.py                                 every network x int8 scheme x instruction set: half an hour and more
    python3 test/explain_zoo.py --only kws,resnet18 --isa avx2,scalar --threads 1,2 --seconds 0.05

The factors are multiplied twice, from the JSON and as printed (three decimals); each product has to be within 1 % of the speed-up
told beside it. Every line of the text has to fit 80 columns. The last line counts; the exit status is 1 if anything failed.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile

LIMIT = 0.01


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", default="build/octet-bench")
    parser.add_argument("--only", help="networks, with commas between them (default: the whole zoo)")
    parser.add_argument("--scheme", default="int8-static,int8-dynamic")
    parser.add_argument("--isa", help="default: every one of this machine")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--seconds", default="0.05", help="of measuring per model: the factors multiply however rough they are")
    return parser.parse_args()


def ask(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def zoo(bench):
    """The first word of each line below the rule of the table."""
    lines = ask(bench, "zoo").splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    return [line.split()[0] for line in lines[rule + 1:] if line.strip()]


def explain(args, network, scheme, isa, threads):
    """The run's text, and the member "explain" of its JSON; raises RuntimeError with what the command said."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "run.json")
        run = subprocess.run([args.bench, "explain", network, "--scheme", scheme, "--isa", isa, "--threads", threads, "--seconds",
                              args.seconds, "--json", path], capture_output=True, text=True, check=False)
        if run.returncode:
            raise RuntimeError((run.stderr.strip() or f"exit status {run.returncode}").splitlines()[-1])
        with open(path, encoding="utf-8") as file:
            return run.stdout, json.load(file)["explain"]


def faults(text, about):
    """What is wrong with one run; nothing if all is well."""
    measured = about["speedup"]["median"]
    factors = [f["factor"] for f in about["factors"]]
    if not all(math.isfinite(f) and f > 0 for f in factors):
        yield f"a factor is no positive number: {factors}"
    if not abs(math.prod(factors) / measured - 1) <= LIMIT:
        yield f"the factors of the JSON multiply to {math.prod(factors):.4f}, measured {measured:.4f}"
    shown = [float(x) for x in re.findall(r"^\w+ +x *([\d.]+)  =", text, re.MULTILINE)]
    told = re.search(r"^([\d.]+) times as fast as f32", text, re.MULTILINE)
    if len(shown) != len(factors) or not told:
        yield "the text does not show every factor, or no speed-up"
    elif abs(math.prod(shown) / float(told.group(1)) - 1) > LIMIT:
        yield f"the factors shown multiply to {math.prod(shown):.4f}, told {told.group(1)}"
    wide = [line for line in text.splitlines() if len(line) > 80]
    if wide:
        yield f"wider than 80 columns: {wide[0]!r}"


def main():
    args = parse_arguments()
    isas = args.isa or ",".join(json.loads(ask(args.bench, "peak", "--json", "-"))["machine"]["isas"])
    networks = args.only.split(",") if args.only else zoo(args.bench)
    runs = failed = 0
    print("| network | scheme | ISA | threads | over f32 | " + " x ".join(
        ["hardware", "coverage", "memory", "algorithms", "kernels", "conversions", "(threads)", "overhead"]) + " |")
    for network in networks:
        for threads in args.threads.split(","):
            for isa in isas.split(","):
                for scheme in args.scheme.split(","):
                    runs += 1
                    try:
                        text, about = explain(args, network, scheme, isa, threads)
                        wrong = list(faults(text, about))
                        row = f"{about['speedup']['median']:.2f} | " + " x ".join(f"{f['factor']:.2f}" for f in about["factors"])
                    except RuntimeError as trouble:
                        wrong, row = [str(trouble)], "- | -"
                    print(f"| {network} | {scheme} | {isa} | {threads} | {row} |", flush=True)
                    failed += bool(wrong)
                    for line in wrong:
                        print(f"FAILED {network} {scheme} {isa} {threads}: {line}", file=sys.stderr, flush=True)
    print(f"{runs - failed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
