"""The runs of a sweep on a Ray cluster, or on a Ray of this machine alone."""

from __future__ import annotations

import contextlib
import importlib
import io
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster.demand import demand, placed
from bench.cluster.exchange import Exchange
from bench.cluster.node import Errand
from bench.cluster.order import Order, makes
from bench.cluster.sending import Sending, nodes
from bench.commands.series import title_of
from bench.errors import ClusterError, StoreError, Unavailable, UsageError
from bench.measure.threads import available
from bench.report.schedule import executions
from bench.report.several import Gathering
from bench.run.plan import Home, Plan
from bench.run.prepared import Method, method_of
from bench.store.results import Store

SCHEME = "ray"
OBJECT_STORE_BYTES = 100_000_000  # of a local Ray: only records pass through it
TEMPORARY = "/tmp"  # Ray's sockets lie there, whose paths may have 107 characters


@dataclass(frozen=True, slots=True)
class RayRuns:
    """Carries runs out on the nodes of a connected Ray (the module), as a `Series` does on this machine."""

    ray: Any
    home: Home
    shown: Gathering
    exchange: Exchange | None = None
    part: str = "metrics"

    def carry_out(self, plan: Plan, position: str = "") -> dict[str, Any]:
        """The record of one run."""
        return self._carry_out([plan], f"{title_of(plan)} {position}".rstrip())[0]

    def carry_out_all(self, plans: Sequence[Plan]) -> list[dict[str, Any]]:
        """The records of all, in order."""
        if not plans:
            return []
        there = nodes(self.ray)
        size = "1 node" if len(there) == 1 else f"{len(there)} nodes"
        return self._carry_out(plans, f"{len(plans)} runs on {size} with {sum(node.cores for node in there)} cores")

    def _carry_out(self, plans: Sequence[Plan], title: str) -> list[dict[str, Any]]:
        store = Store(self.home.results)
        if self.exchange is not None and (brought := self.exchange.gather(store)):
            self.shown.log(f"{brought} results came from {self.exchange.url}")
        methods = {plan.method: method_of(plan) for plan in {plan.method: plan for plan in plans}.values()}
        made = [makes(plan, methods[plan.method]) for plan in plans]
        if self.exchange is not None:
            made = [{stage: key for stage, key in one.items() if stage != "prepare"} for one in made]
        with self._tokens() as tokens:
            errands = self._errands(plans, methods, store, tokens)
            records = Sending(self.ray, errands, Order(made), self.shown, self.part).records(title)
        if self.exchange is not None:
            self.exchange.gather(store)
        return records

    def _errands(
        self, plans: Sequence[Plan], methods: Mapping[str, Method], store: Store, tokens: tuple[Path, ...]
    ) -> list[Errand]:
        """What each node is told, with absolute paths."""
        there = nodes(self.ray)
        home = Home(
            self.home.results.absolute(),
            self.home.cache.absolute(),
            None if self.home.data_root is None else self.home.data_root.absolute(),
            elsewhere=self.exchange,
        )
        earlier = [] if self.exchange is None else store.records()
        found = []
        for number, plan in enumerate(plans):
            known = {one["run_id"]: store.text(one["run_id"]) for one in executions(plan, earlier)}
            wanted, source = demand(plan, there), methods[plan.method].source
            found.append(Errand(number, placed(plan, wanted), wanted, home, Path.cwd(), source, tokens, known))
        return found

    @contextlib.contextmanager
    def _tokens(self) -> Iterator[tuple[Path, ...]]:
        """Files in results and cache that every node must see; none where these go through an exchange."""
        if self.exchange is not None:
            yield ()
            return
        name = f".sweep-{uuid.uuid4().hex}"
        tokens = tuple(folder.absolute() / name for folder in (self.home.results, self.home.cache))
        try:
            for token in tokens:
                token.parent.mkdir(parents=True, exist_ok=True)
                token.touch()
            yield tokens
        except PermissionError as error:
            raise StoreError(f"{error}; name folders that may be written by --results and --cache") from error
        finally:
            for token in tokens:
                with contextlib.suppress(OSError):
                    token.unlink()


@contextlib.contextmanager
def on_ray(address: str, home: Home, shown: Gathering, through: str | None = None) -> Iterator[RayRuns]:
    """Runs on the Ray at "ray://HOST:PORT" or, for "ray", on one of this machine alone that ends with the block.

    through: the URL of an exchange, for nodes that share no folder. Raises UsageError, Unavailable, ClusterError, and
    StoreError for an exchange that cannot be used.
    """
    exchange = None if through is None else Exchange(through, home.cache.absolute())
    if exchange is not None:
        exchange.check()
    shown.log("starting Ray on this machine" if address == SCHEME else f"connecting to {address}")
    with _connected(address) as ray:
        yield RayRuns(ray, home, shown, exchange)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    if address != SCHEME and not address.startswith(f"{SCHEME}://"):
        raise UsageError(
            f"--on {address!r} is not known; write ray for this machine, or ray://HOST:10001 for a cluster"
        )
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise Unavailable(f"--on {address} needs Ray, which is not installed: pip install 'bench[ray]'") from error
    with contextlib.ExitStack() as stack:
        if address == SCHEME:
            folder = tempfile.TemporaryDirectory(prefix="bench-ray-", dir=TEMPORARY, ignore_cleanup_errors=True)
            stack.enter_context(folder)
            stack.enter_context(contextlib.redirect_stdout(io.StringIO()))  # of a lost process it is told elsewhere
            stack.callback(ray.shutdown)
            ray.init(
                "local",
                num_cpus=available(),
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                _temp_dir=folder.name,
            )
        else:
            stack.callback(ray.shutdown)
            try:
                ray.init(address, log_to_driver=False, logging_level="ERROR")
            except (OSError, RuntimeError, ImportError, ValueError) as error:
                raise ClusterError(
                    f"--on {address}: no Ray can be used there ({error}). `ray start --head` on a node starts one, "
                    f"whose port for clients is 10001; Python, ray and bench must have the same versions there as here"
                ) from error
        yield ray
