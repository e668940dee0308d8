"""Records as plain integers, checked when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convmat.certificates.checker import Refused
from convmat.certificates.statements import fields, malformed
from convmat.geometry.window import Geometry, Window

__all__ = ["MOST_AXES", "describe_record", "read_geometry", "read_integers", "write_geometry"]


# Axes of a record, far beyond those of any layer.
MOST_AXES = 32


def write_geometry(geometry: Geometry) -> dict[str, Any]:
    """Return the fields of a record."""
    return {
        "axes": [{key: int(n) for key, n in axis._asdict().items()} for axis in geometry.axes],
        "in_channels": int(geometry.in_channels),
        "out_channels": int(geometry.out_channels),
        "groups": int(geometry.groups),
        "flipped": geometry.flipped,
    }


def read_geometry(value: Any) -> Geometry:
    """Read a record and check all that `Geometry` takes for granted."""
    counts = ("in_channels", "out_channels", "groups")
    fields(value, {"axes", "flipped", *counts})
    if not isinstance(value["axes"], list) or not value["axes"]:
        raise malformed(value["axes"], "a list of axes")
    if len(value["axes"]) > MOST_AXES:
        raise malformed(len(value["axes"]), f"at most {MOST_AXES} axes")
    if not isinstance(value["flipped"], bool):
        raise malformed(value["flipped"], "true or false")
    axes = tuple(Window(**read_integers(a, Window._fields)) for a in value["axes"])
    numbers = read_integers({key: value[key] for key in counts}, counts)
    if any(min(axis[:6]) < 1 for axis in axes) or min(numbers.values()) < 1:
        raise Refused("a record has a size below 1")
    if numbers["in_channels"] % numbers["groups"] or numbers["out_channels"] % numbers["groups"]:
        raise Refused("the channels of a record do not divide into its groups")
    return Geometry(axes, flipped=value["flipped"], **numbers)


def read_integers(value: Any, names: Sequence[str]) -> dict[str, int]:
    """Read an object with these keys and integer values, and nothing else."""
    fields(value, set(names))
    for name in names:
        if type(value[name]) is not int or abs(value[name]) >= 2**62:
            raise malformed(value[name], f"an integer {name}")
    return {name: value[name] for name in names}


def describe_record(geometry: Geometry) -> str:
    """Write every number of a record: two that differ are never written alike.

    Examples
    --------
    >>> describe_record(Geometry((Window(7, 3, 3, 2, 1, 1, 0),), 2, 4))
    '(2, 7) -> (4, 3), kernel (3,), stride (2,), base (1,), dilation (1,), padding (0,), groups 1'
    """
    shapes = [str(tuple(map(int, s))) for s in (geometry.in_shape, geometry.out_shape)]
    columns = [
        f"{name.replace('pad', 'padding')} {tuple(int(getattr(a, name)) for a in geometry.axes)}"
        for name in ("kernel", "stride", "base", "dilation", "pad")
    ]
    flipped = ["weight flipped"] if geometry.flipped else []
    return ", ".join([" -> ".join(shapes), *columns, f"groups {int(geometry.groups)}", *flipped])
