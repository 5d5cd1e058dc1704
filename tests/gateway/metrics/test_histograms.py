from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from codex_proapi.gateway.metrics.histograms import HotCounter, HotHistogram, LabelledHistogram

BOUNDS = (0.1, 1, 10)
VALUES = (0.05, 0.1, 0.5, 1.0, 9.0, 11.0)


def tallies() -> HotHistogram:
    return HotHistogram("gap_seconds", "Gaps.", labels=("endpoint",), bounds=BOUNDS)


def samples(registry: CollectorRegistry) -> Any:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_it_shows_what_a_histogram_of_the_library_shows() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counted = tallies()
    ours.register(counted)
    counted.of("b")
    histogram = Histogram("gap_seconds", "Gaps.", ("endpoint",), buckets=BOUNDS, registry=theirs)

    for value in VALUES:
        counted.of("a").note(value)
        histogram.labels("a").observe(value)
    histogram.labels("b")

    assert samples(ours) == samples(theirs)


def test_a_value_on_a_bound_belongs_below_it() -> None:
    tally = LabelledHistogram(BOUNDS)
    for value in VALUES:
        tally.note(value)

    assert tally.counts == [2, 2, 1, 1]
    assert repr(tally) == "<LabelledHistogram of 6>"
    assert repr(tallies()) == "<HotHistogram gap_seconds>"


def test_a_counter_is_written_as_the_librarys_is() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counted = HotCounter("tokens", "Tokens.", labels=("kind", "model"))
    ours.register(counted)
    counter = Counter("tokens", "Tokens.", ("kind", "model"), registry=theirs)

    for kind, amount in (("input", 900), ("output", 5), ("input", 7), ("cached", 0)):
        counted.of(kind, 'a "model"').count += amount
        counter.labels(kind, 'a "model"').inc(amount)

    written = generate_latest(theirs).decode().splitlines()
    assert generate_latest(ours).decode().splitlines() == [
        line for line in written if "_created" not in line
    ]
    assert repr(counted) == "<HotCounter tokens>"
    assert repr(counted.of("input", 'a "model"')) == "<LabelledCount 907>"


def test_a_histogram_without_labels_has_one_tally() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counted = HotHistogram("seconds", "Seconds.", labels=(), bounds=BOUNDS)
    ours.register(counted)
    histogram = Histogram("seconds", "Seconds.", buckets=BOUNDS, registry=theirs)

    for value in VALUES:
        counted.of().note(value)
        histogram.observe(value)

    assert samples(ours) == samples(theirs)
