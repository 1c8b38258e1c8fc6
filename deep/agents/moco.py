r"""MoCoDyna with networks: targets from a learned model that is corrected by moments of earlier values.

Kept are the last ``d`` target networks, whose values :math:`\phi_i` are the basis; networks :math:`\psi_i(s,a)` that regress
:math:`\phi_i(s')` on what happened; and a model :math:`\hat P` of the successors, fitted by maximum likelihood. The outcomes
:math:`x_j` of the model with their weights are tilted,

.. math:: w_j \propto \hat p_j e^{\lambda \cdot \phi(x_j)}, \qquad
          \lambda = \arg\min \log \sum_j \hat p_j e^{\lambda \cdot \phi(x_j)}
          - \lambda \cdot \psi(s,a) + \tfrac{\beta^2}{4} |\lambda|^2, \qquad y = r + \gamma \sum_j w_j v(\bar Q(x_j)),

as in ``tabular.moment_projection``: :math:`\beta \to \infty` leaves the model as it is (Dyna), 0 asks for the moments exactly. The
end is an outcome worth nothing. The model is ``"categorical"``, over the features where they are one-hot, or ``"gaussian"``, a
normal step from where one is with a chance to end, of which ``samples`` are drawn. With exact models, exact moments and updates to
the end between two changes of the basis it is MoCoVI. Source: mocovi; the use of networks is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from deep.agents.base import ADAM, TWO_LAYERS, Batch, Hyper, Net, Optimiser, Spec, Tree, View, polyak
from deep.agents.targets import GREEDY, Target

HALVINGS = 6


class MoCoState(NamedTuple):
    online: Tree
    target: Tree
    basis: Tree  # stacked, the newest first
    psi: Tree  # stacked alike
    model: Tree
    steps: dict[str, Tree]
    updates: jax.Array


class Outcomes(NamedTuple):
    """Of the model at (B,) pairs: log-weights (B, m), features (m, d) or (B, m, d), and whether there is anything after (B, m)."""

    log_weight: jax.Array
    x: jax.Array
    alive: jax.Array


@dataclass(frozen=True)
class MoCoDQN:
    """``d`` functions; ``every``: updates between two changes of the basis (0: only ``rebase`` changes it); ``newton`` steps.

    Numbers: ``lr``, ``model_lr`` (of the model and of psi), ``gamma``, ``polyak``, ``beta``, those of the target.
    """

    name: str = "moco-dqn"
    target: Target = GREEDY
    net: Net = TWO_LAYERS
    optimiser: Optimiser = ADAM
    d: int = 2
    every: int = 500
    newton: int = 6
    model: str = "categorical"
    samples: int = 16
    heads: int = 1
    options: dict[str, float] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        if self.model not in ("categorical", "gaussian"):
            raise ValueError(f"model is {self.model!r}: expected 'categorical' or 'gaussian'")
        for name, least in (("d", 1), ("every", 0), ("newton", 1), ("samples", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}: at least {least}")
        if self.target.kind == "munchausen":
            raise ValueError(
                "a Munchausen term belongs to samples of the policy, not to a model: kind 'hard' or 'soft'"
            )

    def defaults(self) -> dict[str, float]:
        own = {"lr": 1e-3, "model_lr": 1e-3, "gamma": 0.99, "polyak": 0.02, "beta": 0.1}
        return own | self.target.defaults() | self.options

    def init(self, key: jax.Array, spec: Spec, hyper: Hyper) -> MoCoState:
        a, b, c = jax.random.split(key, 3)
        online = self.net.init(a, spec.features, spec.actions)
        psi = jax.vmap(lambda k: self.net.init(k, spec.features, spec.actions))(jax.random.split(b, self.d))
        wide = spec.features + 1 if self.model == "categorical" else 2 * spec.features + 1
        model = self.net.init(c, spec.features, spec.actions * wide)
        basis = jax.tree.map(lambda p: jnp.stack([p] * self.d), online)
        parts = {"online": online, "psi": psi, "model": model}
        steps = {name: self.optimiser.init(part) for name, part in parts.items()}
        return MoCoState(online, online, basis, psi, model, steps, jnp.zeros((), jnp.int32))

    def memory(self, key: jax.Array, n: int) -> jax.Array:
        return jnp.zeros((n,))

    def observe(self, state: MoCoState, hyper: Hyper, x: jax.Array, action: jax.Array) -> MoCoState:
        return state

    def values(self, state: MoCoState, hyper: Hyper, x: jax.Array) -> jax.Array:
        """(1, N, A)."""
        return self.net.apply(state.online, x)[None]

    def view(self, state: MoCoState, hyper: Hyper, x: jax.Array) -> View:
        """What the oracle looks at."""
        Q = self.net.apply(state.online, x)
        return View(self.target.policy(hyper, Q), Q, jnp.asarray(hyper.get("tau", 0.0), Q.dtype))

    def act(self, state: MoCoState, hyper: Hyper, x: jax.Array, memory: Any, epsilon: Any, key: jax.Array) -> jax.Array:
        a, b, c = jax.random.split(key, 3)
        pi = self.view(state, hyper, x).pi
        chosen = jax.random.categorical(a, jnp.log(jnp.maximum(pi, 1e-30)), axis=-1)
        uniform = jax.random.randint(b, chosen.shape, 0, pi.shape[-1])
        return jnp.where(jax.random.uniform(c, chosen.shape) < epsilon, uniform, chosen)

    def state_value(self, params: Tree, hyper: Hyper, x: jax.Array) -> jax.Array:
        """(...,) values of features (..., d) under a network of action values."""
        Q = self.net.apply(params, x)
        return self.target.value(hyper, Q.reshape(-1, Q.shape[-1])).reshape(Q.shape[:-1])

    def functions(self, state: MoCoState, hyper: Hyper, x: jax.Array) -> jax.Array:
        """(..., d) the basis at features (..., features)."""
        return jnp.moveaxis(jax.vmap(lambda p: self.state_value(p, hyper, x))(state.basis), 0, -1)

    def rebase(self, state: MoCoState) -> MoCoState:
        """The target network joins the basis, the oldest leaves; its moments start where those of the newest were."""
        push = lambda new, old: jnp.concatenate([new[None], old[:-1]])  # noqa: E731
        psi = jax.tree.map(lambda p: jnp.concatenate([p[:1], p[:-1]]), state.psi)
        return state._replace(basis=jax.tree.map(push, state.target, state.basis), psi=psi)

    def outcomes(self, model: Tree, batch: Batch, key: jax.Array) -> Outcomes:
        """What the model expects of the pairs of a batch."""
        raw = self._raw(model, batch)
        B, features = batch.x.shape
        if self.model == "categorical":
            x = jnp.concatenate([jnp.eye(features), jnp.zeros((1, features))])
            alive = jnp.broadcast_to(jnp.arange(features + 1) < features, (B, features + 1))
            return Outcomes(jax.nn.log_softmax(raw, axis=-1), x, alive.astype(x.dtype))
        mean, log_std, end = raw[:, :features], raw[:, features:-1], raw[:, -1]
        noise = jax.random.normal(key, (B, self.samples, features))
        x = batch.x[:, None] + mean[:, None] + jnp.exp(jnp.clip(log_std, -5.0, 2.0))[:, None] * noise
        goes_on, stops = jax.nn.log_sigmoid(-end), jax.nn.log_sigmoid(end)
        each = jnp.broadcast_to(goes_on[:, None] - jnp.log(float(self.samples)), (B, self.samples))
        alive = jnp.concatenate([jnp.ones((B, self.samples)), jnp.zeros((B, 1))], axis=1)
        x = jnp.concatenate([x, batch.x[:, None]], axis=1)
        return Outcomes(jnp.concatenate([each, stops[:, None]], axis=1), x, alive)

    def _raw(self, model: Tree, batch: Batch) -> jax.Array:
        out = self.net.apply(model, batch.x)
        wide = batch.x.shape[-1] + 1 if self.model == "categorical" else 2 * batch.x.shape[-1] + 1
        rows = out.reshape(len(out), -1, wide)
        return jnp.take_along_axis(rows, batch.action[:, None, None], axis=1)[:, 0]

    def model_loss(self, model: Tree, batch: Batch) -> jax.Array:
        """Negative log-likelihood of what came next, end included."""
        raw, over = self._raw(model, batch), batch.terminated
        if self.model == "categorical":
            wanted = jnp.concatenate([batch.next_x * (1.0 - over)[:, None], over[:, None]], axis=-1)
            each = -(wanted * jax.nn.log_softmax(raw, axis=-1)).sum(axis=-1)
        else:
            n = batch.x.shape[-1]
            log_std = jnp.clip(raw[:, n:-1], -5.0, 2.0)
            z = (batch.next_x - batch.x - raw[:, :n]) / jnp.exp(log_std)
            ends = optax.sigmoid_binary_cross_entropy(raw[:, -1], over)
            each = (1.0 - over) * (0.5 * z**2 + log_std).sum(axis=-1) + ends
        return (batch.weight * each).sum()

    def moments(self, psi: Tree, batch: Batch) -> jax.Array:
        """(B, d) what is believed of the means of the basis at the pairs of a batch."""
        every = jax.vmap(self.net.apply, in_axes=(0, None))(psi, batch.x)
        index = jnp.broadcast_to(batch.action[None, :, None], (*every.shape[:2], 1))
        return jnp.take_along_axis(every, index, axis=-1)[..., 0].T

    def psi_loss(self, psi: Tree, state: MoCoState, hyper: Hyper, batch: Batch) -> jax.Array:
        wanted = self.functions(state, hyper, batch.next_x) * (1.0 - batch.terminated)[:, None]
        errors = self.moments(psi, batch) - jax.lax.stop_gradient(wanted)
        return (batch.weight[:, None] * optax.l2_loss(errors)).sum()

    def targets(self, state: MoCoState, hyper: Hyper, batch: Batch, key: jax.Array) -> jax.Array:
        """(B,) ``y`` of each pair."""
        seen = self.outcomes(state.model, batch, key)
        phi = self.functions(state, hyper, seen.x) * seen.alive[..., None]
        weight = tilted(seen.log_weight, phi, self.moments(state.psi, batch), hyper["beta"], self.newton)
        ahead = self.state_value(state.target, hyper, seen.x) * seen.alive
        return batch.reward + hyper["gamma"] * (weight * ahead).sum(axis=-1)

    def update(
        self, state: MoCoState, hyper: Hyper, batch: Batch, key: jax.Array
    ) -> tuple[MoCoState, dict[str, jax.Array]]:
        steps = dict(state.steps)

        def stepped(name: str, params: Tree, gradient: Tree, rate: Any) -> Tree:
            params, steps[name] = self.optimiser.step(params, gradient, steps[name], rate)
            return params

        nll, slope = jax.value_and_grad(self.model_loss)(state.model, batch)
        state = state._replace(model=stepped("model", state.model, slope, hyper["model_lr"]))
        slope = jax.grad(self.psi_loss)(state.psi, state, hyper, batch)
        state = state._replace(psi=stepped("psi", state.psi, slope, hyper["model_lr"]))
        y = jax.lax.stop_gradient(self.targets(state, hyper, batch, key))

        def loss(params: Tree) -> tuple[jax.Array, jax.Array]:
            Q = self.net.apply(params, batch.x)
            at = jnp.take_along_axis(Q, batch.action[:, None], axis=-1)[:, 0]
            return (optax.l2_loss(at - y) * batch.weight).sum(), jnp.abs(at - y).mean()

        (value, error), slope = jax.value_and_grad(loss, has_aux=True)(state.online)
        online = stepped("online", state.online, slope, hyper["lr"])
        updates = state.updates + 1
        state = state._replace(
            online=online, target=polyak(state.target, online, hyper["polyak"]), steps=steps, updates=updates
        )
        if self.every:
            due = updates % self.every == 0
            state = jax.tree.map(lambda new, old: jnp.where(due, new, old), self.rebase(state), state)
        return state, {"loss": value, "td_error": error, "model_nll": nll}


def tilted(log_weight: jax.Array, phi: jax.Array, psi: jax.Array, beta: Any, steps: int) -> jax.Array:
    r"""Weights (B, m) proportional to :math:`e^{\log w + \lambda \cdot \phi}` with the moments ``psi`` (B, d), as far
    as ``beta`` asks.

    ``phi`` (m, d) or (B, m, d). ``steps`` of Newton's method on the dual, each halved until the dual falls. Functions that are
    constant on the outcomes, or alike, are damped by 1e-12 of the trace of the Hessian.
    """
    phi = jnp.broadcast_to(phi, (*log_weight.shape, phi.shape[-1]))
    return jax.vmap(lambda w, f, p: _tilted_row(w, f, p, beta, steps))(log_weight, phi, psi)


def _tilted_row(log_weight: jax.Array, phi: jax.Array, psi: jax.Array, beta: Any, steps: int) -> jax.Array:
    penalty, eye = beta * beta / 2.0, jnp.eye(phi.shape[-1], dtype=phi.dtype)
    phi, psi = phi - psi, jnp.zeros_like(psi)  # the moments asked for become zero: nothing cancels
    sizes = 0.5 ** jnp.arange(HALVINGS)

    def dual(lam: jax.Array) -> jax.Array:
        return jax.nn.logsumexp(log_weight + phi @ lam) + penalty / 2.0 * (lam @ lam)

    def step(_: int, lam: jax.Array) -> jax.Array:
        w = jax.nn.softmax(log_weight + phi @ lam)
        mean = w @ phi
        centred = phi - mean
        hessian = centred.T @ (w[:, None] * centred)
        damped = hessian + (penalty + 1e-12 * jnp.trace(hessian) + jnp.finfo(phi.dtype).tiny) * eye
        direction = jnp.linalg.solve(damped, mean + penalty * lam)
        trials = lam - sizes[:, None] * direction
        values = jax.vmap(dual)(trials)
        best = trials[jnp.nanargmin(jnp.where(jnp.isfinite(values), values, jnp.inf))]
        return jnp.where(jnp.isfinite(best).all(), best, lam)

    lam = jax.lax.fori_loop(0, steps, step, jnp.zeros_like(psi))
    return jax.nn.softmax(log_weight + phi @ lam)
