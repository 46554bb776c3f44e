"""DVF keeps the contract of a method, and finds what its scorer would find by brute force."""

from bench.testing import check_method
from bench_dvf.dvf import DVF

SMALL = {
    "dim": 16,
    "length": 12,
    "behaviours": 6,
    "blocks": 1,
    "attention": 8,
    "hidden": 16,
    "negatives": 64,
    "batch": 32,
    "epochs": 2,
    "seconds": 0,
}


def test_it_keeps_the_contract():
    check_method(DVF, SMALL)
