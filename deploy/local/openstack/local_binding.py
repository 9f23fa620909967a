"""A Neutron ML2 mechanism driver that binds every port at once, because no agent runs here to do it."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class LocalBinding(api.MechanismDriver):
    """Binds each port to its first segment and reports it ACTIVE."""

    def initialize(self):
        """Do nothing; the base class demands the method."""

    def bind_port(self, context):
        """Bind the port as Open vSwitch would, so that Nova sees an ordinary interface."""
        segment = context.segments_to_bind[0]
        context.set_binding(
            segment[api.ID],
            portbindings.VIF_TYPE_OVS,
            {portbindings.CAP_PORT_FILTER: True},
            status=constants.PORT_STATUS_ACTIVE,
        )
