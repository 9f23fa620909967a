"""Create the schema of a service that its own `*-manage db sync` cannot create on SQLite: `schema.py neutron|nova`."""

import sys


def neutron(config_file):
    """Create Neutron's tables from its models: its migrations do not run on SQLite."""
    from neutron.common import config
    from neutron.db.migration.models import head
    from neutron_lib.db import api
    from oslo_config import cfg

    config.register_common_config_options()
    cfg.CONF(["--config-file", config_file], project="neutron")
    head.get_metadata().create_all(api.CONTEXT_WRITER.get_engine())


def nova(config_file):
    """Create Nova's three databases and map its two cells, in one process instead of four `nova-manage` runs."""
    # First, because it forbids eventlet, which the other modules import.
    from nova.cmd.manage import CellV2Commands, DbCommands  # isort: skip
    from nova import config, objects
    from nova.conf import CONF
    from nova.db import migration

    config.parse_args(["nova-manage", "--config-file", config_file])
    objects.register_all()
    cell1 = CONF.database.connection
    migration.db_sync(database="api")
    CellV2Commands().map_cell0(cell1.replace("nova_cell1", "nova_cell0"))
    # Synchronizes cell0 (through its mapping) and the database of the configuration file, which is cell1.
    DbCommands().sync()
    CellV2Commands().create_cell("cell1", cell1, "fake:///")


if __name__ == "__main__":
    {"neutron": neutron, "nova": nova}[sys.argv[1]](sys.argv[2])
