#!/usr/bin/env python3
"""octet and other engines on the same networks, interleaved in one process: how many times as fast is which?

    python3 bench/peers/race.py FOLDER/NAME ... [--schemes f32,int8-static] [--threads 1,2] [--seconds 10] [--json FILE]

FOLDER/NAME is what prepare.py made. Needs numpy and the engines to be compared; one that is missing is reported as missing.
The JSON is that of `octet-bench models --json` with the key "engine"; docs/BENCHMARKING.md describes it. See README.md here.
"""
import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time

import numpy as np

import engines
import rounds


class Entry:
    """One engine on one network, scheme and number of threads."""
    def __init__(self, engine, model, scheme, files, threads):
        self.model, self.scheme, self.threads = model, scheme, threads
        before = set(os.listdir("/proc/self/task"))
        begin = time.perf_counter()
        self.engine = engine(files, threads)
        self.prepare = time.perf_counter() - begin
        self.tied = getattr(engine, "ties_itself", False) or tie(set(os.listdir("/proc/self/task")) - before, threads)
        self.first = self.cold = None
        self.result = None

    def record(self, peaks):
        """An element of "models"."""
        facts = self.engine.facts()
        r = self.result
        line = {"engine": self.engine.name, "model": self.model, "scheme": self.scheme, "isa": facts.pop("isa", "own"),
                "threads": self.threads, "pinned": self.tied, "median_ms": 1e3 * r.quantile(0.5), "p5_ms": 1e3 * r.quantile(0.05),
                "p95_ms": 1e3 * r.quantile(0.95), "first_ms": 1e3 * self.first, "cold_ms": 1e3 * self.cold,
                "prepare_ms": 1e3 * self.prepare, "layers": []}
        line.update(facts)
        if line.get("macs") and peaks:
            peak = max(v["f32_gflops" if self.scheme == "f32" else "u8s8_gops"] for v in peaks.values())
            line["percent_of_peak"] = 100 * 2e-9 * line["macs"] / (peak * self.threads * r.quantile(0.5))
        return line


def tie(tasks, threads):
    """With one thread the whole process has one CPU already. With more, each new thread gets one of its own; an engine that
    started another number of threads than it computes with keeps its own ways (False)."""
    if threads == 1:
        return True
    cpus = sorted(CPUS)
    if len(tasks) != threads - 1 or len(cpus) < threads:
        return False
    for task, cpu in zip(sorted(tasks), cpus[1:]):
        os.sched_setaffinity(int(task), {cpu})
    return True


CPUS = os.sched_getaffinity(0)


def open_entries(args, model, scheme, files, threads, missing):
    """Every engine that can take part."""
    entries = []
    # Threads are born with the CPUs of the thread that starts them.
    os.sched_setaffinity(0, {min(CPUS)} if threads == 1 else CPUS)
    for engine in args.engines:
        try:
            engine.version()
            entries.append(Entry(engine, model, scheme, files, threads))
        except engines.Missing as why:
            missing.append({"engine": engine.name, "model": model, "scheme": scheme, "why": str(why)})
        except Exception as trouble:    # an engine that refuses a file is a result, too
            missing.append({"engine": engine.name, "model": model, "scheme": scheme, "why": str(trouble).strip().splitlines()[0]})
    os.sched_setaffinity(0, {min(CPUS)})
    return entries


def check_answers(entries, x):
    """Float answers have to agree; for int8 how near they come is only told, since each engine quantizes in its own way."""
    for entry in entries:
        entry.engine.set_input(x)
        entry.first = rounds.time_run(entry.engine.run)
    reference = entries[0].engine.output()
    for entry in entries[1:]:
        got = entry.engine.output()
        entry.difference = float(np.abs(got - reference).max() / np.abs(reference).max()) if got.size == reference.size else np.inf
        if entry.scheme == "f32" and not entry.difference < 1e-3:
            raise RuntimeError(f"{entry.engine.name} and {entries[0].engine.name} differ by {entry.difference:.1e} on {entry.model}")


def measure_cold(entries, runs=3):
    """Runs after something else has filled the caches."""
    filler = np.zeros(96 << 20, np.uint8)
    for entry in entries:
        times = []
        for i in range(runs):
            filler.fill(i)
            times.append(rounds.time_run(entry.engine.run))
        entry.cold = sorted(times)[runs // 2]


def race(args, model, scheme, spec, threads, out):
    """All engines on one network, scheme and number of threads; appends to out."""
    engines.Octet.library_path, engines.Octet.isa = args.library, args.isa
    entries = open_entries(args, model, scheme, spec["schemes"][scheme], threads, out["missing"])
    if not entries:
        return
    x = np.load(spec["calibration"])[:1]
    check_answers(entries, x)
    results, disturbed = rounds.measure([e.engine.run for e in entries], args.seconds, sorted(CPUS)[:threads])
    for entry, result in zip(entries, results):
        entry.result = result
    measure_cold(entries)
    macs = 0
    for entry in entries:
        line = entry.record(None if not out["machine"] else out["machine"]["peaks"])
        macs = macs or line.get("macs", 0)
        line["rounds"] = {"kept": len(results[0].rounds), "disturbed": disturbed}
        out["models"].append(line)
    first = entries[0]
    for entry in entries[1:]:
        median, lo, hi = rounds.ratio(entry.result, first.result)
        out["engine_pairs"].append({"model": model, "scheme": scheme, "threads": threads, "engine": first.engine.name,
                                    "peer": entry.engine.name, "speedup": median, "lo": lo, "hi": hi,
                                    "difference": entry.difference})
    show(entries, results, disturbed)
    for entry in entries:
        entry.engine.close()


def child(pipe, args, model, scheme, spec, threads, out):
    race(args, model, scheme, spec, threads, out)
    pipe.send(out)


def race_apart(args, model, scheme, spec, threads, out):
    """In a process of its own: some engines fix their threads' CPUs for good when they are first used, and one that crashes must
    not take the others' figures along."""
    here, there = multiprocessing.Pipe()
    lists = {k: [] for k in ("models", "engine_pairs", "missing")}
    worker = multiprocessing.get_context("spawn").Process(target=child, args=(
        there, args, model, scheme, spec, threads, {**lists, "machine": out["machine"]}))
    worker.start()
    there.close()
    try:
        part = here.recv()
        for key in lists:
            out[key] += part[key]
    except EOFError:
        worker.join()
        out["missing"].append({"engine": "all", "model": model, "scheme": scheme, "why": f"ended with status {worker.exitcode}"})
    worker.join()


def show(entries, results, disturbed):
    first = entries[0]
    print(f"\n{first.model}  {first.scheme}  {first.threads} thread{'s' if first.threads > 1 else ''}"
          f"   ({len(results[0].rounds)} rounds, {disturbed} disturbed)")
    for entry in entries:
        text = f"  {entry.engine.name:12} {1e3 * entry.result.quantile(0.5):9.3f} ms"
        if entry is not first:
            median, lo, hi = rounds.ratio(entry.result, first.result)
            text += f"   {first.engine.name} is {median:.3f} times as fast [{lo:.3f}, {hi:.3f}]"
        print(text + ("" if entry.tied else "   (threads not tied)"), flush=True)


def machine(bench):
    """What octet-bench says of the machine, with its peaks; nothing without octet-bench."""
    try:
        run = subprocess.run([bench, "peak", "--json", "-"], capture_output=True, text=True, check=True)
        return json.loads(run.stdout)
    except (OSError, subprocess.CalledProcessError, ValueError):
        return {}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", metavar="FOLDER/NAME")
    parser.add_argument("--engines", default=",".join(engines.ENGINES), help="the first is the one the others are compared with")
    parser.add_argument("--schemes", default="f32,int8-static,int8-dynamic")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--seconds", type=float, default=10, help="for all engines together, per network, scheme and threads")
    parser.add_argument("--isa", help="octet's instruction set (default: the best)")
    parser.add_argument("--library", default="build/liboctet.so")
    parser.add_argument("--bench", default="build/octet-bench", help="for the machine's peaks")
    parser.add_argument("--json", metavar="FILE", help="write the figures as JSON, too")
    args = parser.parse_args()
    unknown = [e for e in args.engines.split(",") if e not in engines.ENGINES]
    if unknown:
        parser.error(f"unknown engine {unknown[0]}; there are {', '.join(engines.ENGINES)}")
    args.engines = [engines.ENGINES[e] for e in args.engines.split(",")]
    return args


def main():
    args = arguments()
    about = machine(args.bench)
    out = {"octet": about.get("octet", "?"), "schema": 1, "machine": about.get("machine", {}), "engines": {}, "models": [],
           "engine_pairs": [], "missing": []}
    engines.Octet.library_path = args.library
    for engine in args.engines:
        try:
            out["engines"][engine.name] = engine.version()
        except engines.Missing as why:
            out["engines"][engine.name] = None
            print(f"missing: {engine.name} ({why})", file=sys.stderr)
    for folder in args.folders:
        with open(os.path.join(folder, "files.json"), encoding="utf-8") as file:
            spec = json.load(file)
        for scheme in args.schemes.split(","):
            for threads in map(int, args.threads.split(",")):
                race_apart(args, spec["model"], scheme, spec, threads, out)
    for line in out["missing"]:
        print("missing: {engine}, {model}, {scheme}: {why}".format(**line), file=sys.stderr)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(out, file, indent=1)


if __name__ == "__main__":
    main()
