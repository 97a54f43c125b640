"""A window of a peer's meter, and what it read; shared by the tests of all peers."""

from baler_energy.vocabulary import Quantity


def energies(readings):
    return {r.component: r.value for r in readings if r.quantity is Quantity.ENERGY}


def reason_of(readings, component):
    return next(r.reason for r in readings if r.component == component and r.quantity is Quantity.ENERGY)


def window(meter):
    meter.open()
    meter.begin()
    meter.end()
    readings = meter.readings()
    meter.close()
    meter.close()
    return readings
