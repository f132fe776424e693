"""Interleaved measuring, as bench/measure.c does it: rounds A B B A, medians of ratios within rounds, a bootstrap interval."""
import os
import random
import statistics
import time

DRAWS = 2000            # bootstrap draws
MIN_ROUNDS, MAX_ROUNDS = 5, 400
SLOW_SPIN = 1.10        # a round whose spin took this much longer than usual was disturbed
VISIT_SECONDS = 1e-3    # short runs are timed several times a visit
MAX_TIMED = 8


def quantile(values, p):
    """Linear between the sorted values (type 7)."""
    values = sorted(values)
    place = p * (len(values) - 1)
    below = int(place)
    if below + 1 >= len(values):
        return values[-1]
    return values[below] + (place - below) * (values[below + 1] - values[below])


def bootstrap(ratios, seed=1979):
    """(median, lo, hi): the interval that holds 95 % of the medians of as many draws."""
    draw = random.Random(seed)
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(DRAWS))
    return statistics.median(ratios), quantile(medians, 0.025), quantile(medians, 0.975)


def spin_here():
    """Seconds of a loop of fixed length: longer when somebody else had the core or the clock changed."""
    begin = time.perf_counter()
    x = 1
    for _ in range(3000):
        x = x * 25214903917 + 11 & 0xffffffffffff
    return time.perf_counter() - begin


def spin(cpus):
    """The slowest spin on these CPUs. This thread stays on the first one."""
    slowest = spin_here()
    for cpu in cpus[1:]:
        os.sched_setaffinity(0, {cpu})
        slowest = max(slowest, spin_here())
    if len(cpus) > 1:
        os.sched_setaffinity(0, {cpus[0]})
    return slowest


def settle():
    """Waits until no thread of this process computes.

    Every engine lets its workers spin a while after a run, hoping for the next (ONNX Runtime for some 35 ms). With as many
    threads as cores they would take the core from the engine that is measured next. The system adds up a running thread's time
    at its ticks only, hence a window of several ticks.
    """
    for _ in range(20):
        wall, cpu = time.perf_counter(), time.process_time()
        time.sleep(0.02)
        if time.process_time() - cpu < 0.05 * (time.perf_counter() - wall):
            return


def time_run(run):
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


class Measured:
    """What was measured of one runner: all samples, and the figure of each round."""
    def __init__(self, run, quiet_before):
        self.run, self.quiet_before = run, quiet_before
        self.samples, self.rounds, self.timed = [], [], 1

    def warm_up(self, seconds):
        """Until two runs in a row differ by less than 3 %, or long enough."""
        begin, now = time.perf_counter(), time_run(self.run)
        while True:
            before, now = now, time_run(self.run)
            if max(now, before) < 1.03 * min(now, before) or time.perf_counter() - begin > seconds:
                break
        self.timed = max(1, min(MAX_TIMED, int(VISIT_SECONDS / now)))

    def visit(self):
        """One run to take the caches back, then the timed ones."""
        if self.quiet_before:
            settle()
        self.run()
        return [time_run(self.run) for _ in range(self.timed)]

    def keep(self, quiet):
        self.rounds = [r for r, q in zip(self.rounds, quiet) if q]
        self.samples = [s for s, q in zip(self.samples, quiet) if q]

    def quantile(self, p):
        return quantile([t for round_ in self.samples for t in round_], p)


def one_round(items, cpus):
    """There and back; the slowest spin of the round."""
    slowest = spin(cpus)
    halves = {id(i): [] for i in items}
    for item in items + items[::-1]:
        halves[id(item)].append(item.visit())
        slowest = max(slowest, spin(cpus))
    for item in items:
        first, second = halves[id(item)]
        item.rounds.append((statistics.median(first) + statistics.median(second)) / 2)
        item.samples.append(first + second)
    return slowest


def measure(runs, seconds, cpus):
    """Times all runs, which use these CPUs, against each other. Returns a Measured for each and how many rounds were left out as disturbed."""
    items = [Measured(run, len(cpus) > 1) for run in runs]
    for item in items:
        item.warm_up(0.1 * seconds / len(items))
    spins, begin = [], time.perf_counter()
    while len(spins) < MIN_ROUNDS or (len(spins) < MAX_ROUNDS and time.perf_counter() - begin < seconds):
        spins.append(one_round(items, cpus))
    limit = SLOW_SPIN * quantile(spins, 0.25)
    quiet = [s <= limit for s in spins]
    if sum(quiet) >= MIN_ROUNDS:
        for item in items:
            item.keep(quiet)
    return items, len(spins) - sum(quiet)


def ratio(slow, fast):
    """How many times as fast the second is: (median, lo, hi)."""
    return bootstrap([a / b for a, b in zip(slow.rounds, fast.rounds)])
