"""A payer's bank asks for the money back: freeze, post, restore."""

import datetime as dt

from billing.models import Order
from billing.processors.base import Notice


def on_inquiry(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""


def on_opened(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""


def on_taken(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""


def on_returned(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""


def on_won(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""


def on_lost(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""


def on_fraud_warning(order: Order, notice: Notice, *, now: dt.datetime) -> str:
    """."""
